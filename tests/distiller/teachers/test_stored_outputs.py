"""Outputs of a teacher from a file, by the names of the images."""

import csv

import keras
import numpy as np
import pytest
from PIL import Image

from distiller import Distiller, data, recipes, teachers
from distiller.errors import InputError
from distiller.runs import pipeline

RNG = np.random.default_rng(0)
SPLIT = data.Split(
    RNG.integers(0, 256, (6, 8, 8, 3)).astype("uint8"),
    np.arange(6, dtype="int32") % 3,
    np.array([f"{'abc'[i % 3]}/{i}.png" for i in range(6)], object),
)
LOGITS = RNG.normal(size=(6, 3)).astype("float32")


def stored(path, order=range(6), **more):
    chosen = list(order)
    names = [SPLIT.names[i] for i in chosen]
    np.savez(path, names=names, logits=LOGITS[chosen], **more)
    return path


def test_rows_are_found_by_name_in_any_order(tmp_path):
    path = stored(tmp_path / "o.npz", [4, 0, 3, 5, 1, 2])
    found = teachers.StoredOutputs(path).of(SPLIT).rows(3, np.array([2, 5, 0]))
    np.testing.assert_array_equal(found["@logits"], LOGITS[[2, 5, 0]])


def test_names_of_files_alone_serve_where_they_are_unique(tmp_path):
    np.savez(tmp_path / "o.npz", names=[f"{i}.png" for i in (5, 4, 3, 2, 1, 0)], logits=LOGITS[::-1])
    found = teachers.StoredOutputs(tmp_path / "o.npz").of(SPLIT).rows(0, np.arange(6))
    np.testing.assert_array_equal(found["@logits"], LOGITS)
    alike = data.Split(SPLIT.images, SPLIT.labels, np.array([f"{i}/a.png" for i in range(6)], object))
    np.savez(tmp_path / "o.npz", names=["a.png"], logits=LOGITS[:1])
    with pytest.raises(InputError, match=r"none for '0/a.png', '1/a.png', '2/a.png' and 3 more"):
        teachers.StoredOutputs(tmp_path / "o.npz").of(alike)


def test_one_that_is_missing_is_named(tmp_path):
    path = stored(tmp_path / "o.npz", [4, 0, 3, 5, 2])
    with pytest.raises(InputError, match=r"for all 6 images in .* Received: none for 'b/1.png'$"):
        teachers.StoredOutputs(path).of(SPLIT)


def test_a_table(tmp_path):
    with (tmp_path / "o.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "x", "y", "z"])
        writer.writerows([name, *map(repr, map(float, row))] for name, row in zip(SPLIT.names, LOGITS, strict=True))
    read = teachers.StoredOutputs(tmp_path / "o.csv")
    assert read.classes == ["x", "y", "z"]
    np.testing.assert_array_equal(read.of(SPLIT).rows(0, np.arange(6))["@logits"], LOGITS)
    (tmp_path / "o.csv").write_text("image,x\n1.png,2\n")
    with pytest.raises(InputError, match="its first column is not `name`"):
        teachers.StoredOutputs(tmp_path / "o.csv")


def test_files_that_cannot_be(tmp_path):
    path = tmp_path / "o.npz"
    nan = LOGITS.copy()
    nan[3, 1] = np.nan
    odds = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    names = list(SPLIT.names)
    for arrays, message in [
        ({"names": [*names[:5], names[0]], "logits": LOGITS}, "Received: 'a/0.png' twice"),
        ({"names": names, "logits": nan}, "'logits' of 'a/3.png' with NaN"),
        ({"names": names[:5], "logits": LOGITS}, "Expected 5 rows of 'logits'"),
        ({"names": names, "logits": odds}, "are probabilities"),
        ({"names": names, "logits": LOGITS, "classes": ["a", "b"]}, "Expected 3 names of classes"),
        ({"names": names, "scores": LOGITS}, "Expected the arrays names and logits"),
        ({"names": names, "logits": LOGITS[:, 0]}, r"Expected numbers \(n, …\) as 'logits'"),
    ]:
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            teachers.StoredOutputs(path)
    path.write_bytes(b"words")
    with pytest.raises(InputError, match="is damaged"):
        teachers.StoredOutputs(path)
    with pytest.raises(InputError, match="does not exist"):
        teachers.StoredOutputs(tmp_path / "none.npz")
    np.savez(path, names=names, logits=odds)
    found = teachers.StoredOutputs(path, probabilities=True).of(SPLIT).rows(0, np.arange(6))["@logits"]
    np.testing.assert_allclose(found, np.log(odds), rtol=1e-5)


def network():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(3)(keras.layers.Dense(2, name="hidden")(x)))


def test_a_student_learns_from_them(tmp_path):
    """The first loss is Hinton's of the stored logits and the student's, by hand."""
    hidden = RNG.normal(size=(6, 2)).astype("float32")
    outputs = teachers.StoredOutputs(stored(tmp_path / "o.npz", hidden=hidden))
    student = network()
    before = student.predict(SPLIT.images.astype("float32"), verbose=0)
    tapped = keras.Model(student.input, student.get_layer("hidden").output)
    of_student = tapped.predict(SPLIT.images.astype("float32"), verbose=0)
    model = Distiller(
        teacher=outputs.network((8, 8, 3)),
        student=student,
        objectives={
            "soft": {"name": "hinton", "temperature": 2.0},
            "near": {"name": "similarity_preserving", "teacher_layer": "hidden", "student_layer": "hidden"},
        },
        weights={"labels": 0.5, "soft": 0.5, "near": 0.1},
    )
    model.compile(keras.optimizers.SGD(0.0), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(
        data.Batches(SPLIT, 6, taught=outputs.of(SPLIT)), validation_data=data.InOrder(SPLIT), verbose=0
    )

    def log_softmax(z):
        return z - z.max(-1, keepdims=True) - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))

    teacher, mine = log_softmax(LOGITS / 2), log_softmax(before / 2)
    expected = 4 * (np.exp(teacher) * (teacher - mine)).sum(-1).mean()
    assert history.history["soft"][0] == pytest.approx(expected, rel=1e-4)

    def similarities(features):  # Tung and Mori 2019, equations 2 to 4
        products = features @ features.T
        return products / np.linalg.norm(products, axis=1, keepdims=True)

    difference = similarities(hidden) - similarities(of_student)
    assert history.history["near"][0] == pytest.approx((difference**2).sum() / 36, rel=1e-3)
    with pytest.raises(InputError, match="it cannot be run on others"):
        model.teacher(SPLIT.images.astype("float32"))


@pytest.fixture
def photos(tmp_path):
    """Twelve photos of each of two colours."""
    for place, name in enumerate(("blue", "red")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = RNG.integers(0, 60, (8, 8, 3)).astype("uint8")
            pixels[..., 2 - 2 * place] += 150
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def test_a_run_with_outputs_by_name(photos, tmp_path):
    names = [path.relative_to(photos).as_posix() for path in sorted(photos.rglob("*.png"))]
    logits = np.array([[4.0, -4.0] if name.startswith("blue") else [-4.0, 4.0] for name in names])
    order = RNG.permutation(len(names))
    path = tmp_path / "outputs.npz"
    np.savez(path, names=np.array(names)[order], logits=logits[order], classes=["blue", "red"])
    changes = [
        "seeds=[0]",
        "training={epochs: 2, batch_size: 4, learning_rate: 0.05}",
        "student={name: wide, options: {widths: [4, 4], stem: 4}}",
        "export={schemes: [int8], calibration: 10, teacher: true}",
        "benchmark={runs: 5, seconds: 0}",
        "bridge=null",
        f"data={{name: {photos}, image_size: 8, validation: 0.2}}",
    ]

    def run(*more):
        asked = recipes.read_run("demo", [*changes, *more])
        kept = {name: asked.arms[name] for name in ("hard_labels", "distilled")}
        return pipeline.run(asked.model_copy(update={"arms": kept}), tmp_path / "run")

    report = run(f"teacher={{outputs: {path}}}")
    assert report["teacher"]["accuracy"] is None
    assert {student["name"] for student in report["students"]} == {"hard_labels", "distilled"}
    assert "outputs alone are known" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(InputError, match="no bridge and no cache"):
        run(f"teacher={{outputs: {path}}}", "cache={}")
    np.savez(path, names=np.array(names)[order], logits=logits[order], classes=["red", "blue"])
    with pytest.raises(InputError, match="order"):
        run(f"teacher={{outputs: {path}}}")
