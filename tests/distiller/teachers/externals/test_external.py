"""Teachers of other frameworks: what they answer, to whom, and what is refused."""

import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from support.onnx_files import classifier

import tflite
from distiller import Distiller, data, models, teachers
from distiller.errors import InputError, WorkError

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 4))
PIXELS = RNG.integers(0, 256, (5, 8, 8, 3)).astype("uint8")
MEAN, STD = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255


def logits_by_hand(images, mean=0.0, std=1.0):
    return ((images.astype("float64") - mean) / std).mean(axis=(1, 2)) @ KERNEL


@pytest.mark.parametrize(
    ("preprocessing", "mean", "std"),
    [
        ("none", 0, 1),
        ("unit", 0, 255),
        ("tf", 127.5, 127.5),
        ("torch", MEAN, STD),
        ({"mean": [1, 2, 3], "std": 50}, np.array([1, 2, 3]), 50),
    ],
)
def test_an_onnx_file_sees_prepared_pixels(preprocessing, mean, std, tmp_path):
    """Channels first, as the shape of its input says; of a fixed batch of two, with five images."""
    for batch in ("n", 2):
        path = classifier(tmp_path / "teacher.onnx", KERNEL, batch=batch)
        teacher = teachers.external(path, (8, 8, 3), preprocessing=preprocessing)
        assert (teacher.name, teacher.output_shape) == ("teacher", (None, 4))
        found = teacher.predict(PIXELS.astype("float32"), verbose=0)
        np.testing.assert_allclose(found, logits_by_hand(PIXELS, mean, std), rtol=1e-4, atol=1e-4)


def test_images_are_resized_to_the_size_of_the_file(tmp_path):
    """Bilinear and antialiased, as TensorFlow's own resizing is; asked for or not, the file's size counts."""
    seen = []

    def noting(images):
        seen.append(images)
        return np.stack([images.mean(axis=(1, 2, 3)), images.std(axis=(1, 2, 3))], axis=-1)

    for size in (12, (4, 6)):
        teacher = teachers.external(noting, (8, 8, 3), image_size=size)
        teacher.predict(PIXELS.astype("float32"), verbose=0)
        wanted = (size, size) if isinstance(size, int) else size
        expected = tf.image.resize(PIXELS, wanted, antialias=True).numpy()
        assert seen[-1].shape == (5, *wanted, 3)
        np.testing.assert_allclose(seen[-1], expected, atol=1e-3)
    path = classifier(tmp_path / "large.onnx", KERNEL, size=16)
    found = teachers.external(path, (8, 8, 3)).predict(PIXELS.astype("float32"), verbose=0)
    expected = logits_by_hand(tf.image.resize(PIXELS, (16, 16), antialias=True).numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An integer TFLite file of a network with its scaling inside."""
    keras.utils.set_random_seed(1)
    network = models.build("resnet8", 4, (8, 8, 3), width=4)
    path = tmp_path_factory.mktemp("tflite") / "teacher.tflite"
    tflite.convert(network, path, scheme="int8", representative=RNG.integers(0, 256, (40, 8, 8, 3)).astype("uint8"))
    return path


def test_a_tflite_file_answers_as_litert_does(file):
    teacher = teachers.external(file, (8, 8, 3))
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    (taken,), (left,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = left["quantization"]
    expected = []
    for image in PIXELS:
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        expected.append((interpreter.get_tensor(left["index"])[0].astype("float32") - zero_point) * scale)
    found = teacher.predict(PIXELS.astype("float32"), verbose=0)
    assert found.std() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def softened(images):
    logits = logits_by_hand(images) / 50
    odds = np.exp(logits)
    return odds / odds.sum(-1, keepdims=True)


def test_probabilities_are_refused_or_announced(tmp_path):
    path = classifier(tmp_path / "soft.onnx", KERNEL / 100, softmax=True)
    for source in (softened, path):
        with pytest.raises(InputError, match=r"answers probabilities: rows .* probabilities=True"):
            teachers.external(source, (8, 8, 3))
    teacher = teachers.external(softened, (8, 8, 3), probabilities=True)
    found = teacher.predict(PIXELS.astype("float32"), verbose=0)
    np.testing.assert_allclose(found, np.log(softened(PIXELS)), rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="Expected probabilities of the teacher 'logits_by_hand'"):
        teachers.external(logits_by_hand, (8, 8, 3), probabilities=True)


def test_features_of_a_file_can_be_compared(tmp_path):
    path = classifier(tmp_path / "teacher.onnx", KERNEL, outputs=("features", "logits"))
    teacher = teachers.external(path, (8, 8, 3), features=["features"])
    tapped = keras.Model(teacher.input, teacher.get_layer("features").output)
    np.testing.assert_allclose(tapped.predict(PIXELS.astype("float32"), verbose=0), PIXELS.mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(InputError, match="Did you mean 'features'"):
        teachers.external(path, (8, 8, 3), features=["feature"])


def student():
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(4)(keras.layers.Dense(3, name="features")(x)))


def trained(teacher, cache=None):
    split = data.Split(PIXELS, np.array([0, 1, 2, 3, 0], "int32"))
    model = Distiller(
        teacher=teacher,
        student=student(),
        objectives={
            "soft": {"name": "hinton", "temperature": 4.0},
            "similar": {"name": "similarity_preserving", "teacher_layer": "features", "student_layer": "features"},
        },
        weights={"labels": 0.5, "soft": 0.5, "similar": 10.0},
    )
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(data.Batches(split, 5, taught=cache), epochs=2, verbose=0)
    return model.student.get_weights(), history.history


def test_it_teaches_directly_and_from_a_cache(tmp_path):
    path = classifier(tmp_path / "teacher.onnx", KERNEL / 20, outputs=("logits", "features"))
    teacher = teachers.external(path, (8, 8, 3), features=["features"])
    direct, history = trained(teacher)
    split = data.Split(PIXELS, np.zeros(5, "int32"))
    cache = teachers.Cache(tmp_path / "cache", teacher, ["features"], dtype="float32").build(split, passes=1)
    cached, cached_history = trained(teacher, cache)
    for one, other in zip(direct, cached, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert history["soft"] == pytest.approx(cached_history["soft"], rel=1e-4)
    assert history["soft"][0] > 0
    # The same file elsewhere is the same teacher, and other weights are another.
    again = teachers.external(classifier(tmp_path / "b.onnx", KERNEL / 20, outputs=("logits", "features")), (8, 8, 3),
                              features=["features"])  # fmt: skip
    assert teachers.Cache(tmp_path / "cache", again, ["features"], dtype="float32").passes == 1
    other = teachers.external(classifier(tmp_path / "c.onnx", KERNEL / 10, outputs=("logits", "features")), (8, 8, 3),
                              features=["features"])  # fmt: skip
    with pytest.raises(InputError, match="built for something else"):
        teachers.Cache(tmp_path / "cache", other, ["features"], dtype="float32")


def test_a_function_is_cached_under_its_identity(tmp_path):
    split = data.Split(PIXELS, np.zeros(5, "int32"))
    nameless = teachers.Cache(tmp_path / "cache", teachers.external(logits_by_hand, (8, 8, 3)))
    with pytest.raises(InputError, match=r"a function has no digest.* Name it: teachers\.external"):
        nameless.build(split, passes=1)
    first = teachers.external(logits_by_hand, (8, 8, 3), identity="mean 1")
    teachers.Cache(tmp_path / "cache", first).build(split, passes=1)
    second = teachers.external(logits_by_hand, (8, 8, 3), identity="mean 2")
    with pytest.raises(InputError, match="built for something else"):
        teachers.Cache(tmp_path / "cache", second)


def test_a_function_of_a_users_file(tmp_path):
    path = tmp_path / "answers.py"
    path.write_text("def answer(images):\n    return images.mean(axis=(1, 2))\n")
    teacher = teachers.external(f"{path}:answer", (8, 8, 3))
    np.testing.assert_allclose(
        teacher.predict(PIXELS.astype("float32"), verbose=0), PIXELS.mean(axis=(1, 2)), rtol=1e-5
    )
    # Its file is its identity.
    teachers.Cache(tmp_path / "cache", teacher)


def test_it_is_no_part_of_a_saved_model(tmp_path):
    teacher = teachers.external(logits_by_hand, (8, 8, 3), identity="mean")
    teacher.save(tmp_path / "teacher.keras")
    with pytest.raises(InputError, match=r"no part of a saved model. Make it again with teachers.external"):
        keras.saving.load_model(tmp_path / "teacher.keras", custom_objects={"ExternalOutputs": type(teacher.layers[1])})


def test_sources_that_cannot_teach(tmp_path, file, monkeypatch):
    path = classifier(tmp_path / "teacher.onnx", KERNEL)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(path.read_bytes()[:40])
    for source, options, message in [
        (tmp_path / "none.onnx", {}, "does not exist"),
        (damaged, {}, "cannot be opened as an ONNX model"),
        ("teacher.pt", {}, "Expected a file .onnx or .tflite, file.py:function, or a function"),
        (file, {"features": ["pooled"]}, "A TFLite teacher has logits alone"),
        (path, {"preprocessing": "imagnet"}, "Unknown preprocessing 'imagnet'"),
        (path, {"preprocessing": {"mean": 1}}, r"Expected preprocessing as a name or \{mean, std\}"),
        (path, {"preprocessing": {"mean": [1, 2], "std": 1}}, "one for each of 3 channels"),
        (path, {"layout": "hwcn"}, "Unknown layout 'hwcn'"),
        (lambda images: images[:2].mean(axis=(1, 2)), {}, r"of shape \(4, …\) for 4 images"),
        (lambda images: images.mean(axis=(1, 2, 3)), {}, r"Received: float32 \(4,\)"),
        (lambda images: {"scores": images.mean(axis=(1, 2))}, {}, "answers no 'logits'. Received: ['scores']"),
    ]:
        with pytest.raises(InputError, match=message if "[" not in message or "\\" in message else re.escape(message)):
            teachers.external(source, (8, 8, 3), **options)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WorkError, match="pip install onnxruntime"):
        teachers.external(path, (8, 8, 3))
