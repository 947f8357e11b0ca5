"""Arms on hard labels that a teacher gives, and arms that begin with the weights of another run's student."""

import json

import keras
import numpy as np
import pytest

from distiller import data, models, recipes, teachers
from distiller.errors import InputError
from distiller.runs import fit, pipeline

SMALL = """
kind: run
summary: controls
data: {name: digits, classes: ["3", "5", "6", "8", "9"]}
labels: {per_class: 10, seed: 1}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits}
    model: {name: wide, options: {widths: [8, 8], stem: 4}}
    training: {epochs: 2, steps_per_epoch: 8}
bridge: {name: subset}
student: {name: wide, options: {widths: [8, 8], stem: 4}}
training: {epochs: 1, batch_size: 32, steps_per_epoch: 6}
arms:
  hard_labels: {}
  pseudo: {pseudo_labels: true}
export: {schemes: [float32], calibration: 20}
benchmark: {runs: 2, seconds: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, its report, and the images that each training saw, by its title."""
    folder = tmp_path_factory.mktemp("controls")
    (folder / "controls.yaml").write_text(SMALL)
    seen, true = {}, fit.fit

    def watched(model, plan, batches, validation, *, title, **options):
        seen[title] = batches.split
        return true(model, plan, batches, validation, title=title, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "fit", watched)
        report = pipeline.run(recipes.read_run(folder / "controls.yaml"), folder / "out")
    return folder, report, seen


def test_images_without_a_label_have_the_class_of_the_teacher(run):
    folder, report, seen = run
    split, alone = seen["pseudo, seed 0"], seen["hard_labels, seed 0"]
    everything = data.load("digits").only(["3", "5", "6", "8", "9"]).train
    assert len(alone) == 50
    assert len(split) == len(everything) == report["data"]["train"]
    np.testing.assert_array_equal(split.images, everything.images)
    teacher = keras.saving.load_model(folder / "out" / "teacher.keras")
    found = np.argmax(teacher.predict(split.images.astype("float32"), verbose=0)[:, [3, 5, 6, 8, 9]], axis=-1)
    own = {image.tobytes() for image in alone.images}
    labelled = np.array([image.tobytes() in own for image in split.images])
    np.testing.assert_array_equal(split.labels[labelled], everything.labels[labelled])
    np.testing.assert_array_equal(split.labels[~labelled], found[~labelled])
    wrong = np.mean(split.labels[~labelled] != everything.labels[~labelled])
    assert 0 < wrong < 1


def test_the_result_counts_true_labels_alone(run):
    folder, _, _ = run
    results = [json.loads((folder / "out" / "stages" / f"{n}-0" / "result.json").read_text()) for n in ("pseudo",)]
    assert [(result["labelled"], result["images"]) for result in results] == [(50, len(run[2]["pseudo, seed 0"]))]


def test_a_student_begins_with_that_of_another_run(run, tmp_path):
    """All weights but those of the last layer, of which ten classes have others than five."""
    folder, _, _ = run
    changes = [f"arms={{warm: {{warm_start: {{file: {folder / 'out' / 'teacher.keras'}}}}}}}"]
    # Steps so small that they change nothing in float32's first digits.
    changes += ["training.learning_rate=1e-9", "training.weight_decay=0"]
    report = pipeline.run(recipes.read_run(folder / "controls.yaml", changes), tmp_path / "out")
    own, theirs = (
        teachers.load(path) for path in (tmp_path / "out" / "warm-0.keras", folder / "out" / "teacher.keras")
    )
    pairs = list(zip(own.trainable_variables, theirs.trainable_variables, strict=True))
    for one, other in pairs[:-2]:
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-6)
    assert [(one.shape[-1], other.shape[-1]) for one, other in pairs[-2:]] == [(5, 10), (5, 10)]
    assert report["students"][0]["name"] == "warm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("arms.pseudo.objectives={soft: {name: hinton}}", "expected pseudo_labels without objectives"),
        ("arms.pseudo.unlabelled=false", "without unlabelled: false"),
        ("bridge={name: auxiliary_head}", r"arms.pseudo.pseudo_labels: .*Received: one of other classes. Give it a br"),
        ("arms.pseudo={start: hard_labels, warm_start: {file: a.keras}}", "expected one of start and warm_start"),
        ("arms.pseudo={warm_start: {file: no.keras}}", "no.keras"),
        (
            "arms.pseudo={warm_start: {file: other.keras}}",
            r"expected the student's network, .*other\.keras' with other",
        ),
        ("arms.pseudo={warm_start: {file: wider.keras}}", r"is the first layer that differs"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "controls.yaml").write_text(SMALL)
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, keras.layers.Dense(5)(keras.layers.Flatten()(inputs)), name="other").save("other.keras")
    models.build("wide", 5, (8, 8, 1), widths=(12, 8), stem=4).save("wider.keras")
    with pytest.raises(InputError, match=message):
        pipeline.run(recipes.read_run(tmp_path / "controls.yaml", [change]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
