"""Accuracy on a phone: the tool on it really runs the model that was copied there."""

import keras
import numpy as np
import pytest
from support.fake_device import tool

import tflite
from tflite import MeasurementError, ModelError
from tflite.model_file.interpreter import Runner

pytest_plugins = ("support.fake_device.fixtures",)


@pytest.mark.parametrize("scheme", ["int8", "float32"])
def test_it_answers_as_this_machine_does(phone, files, held_out, tmp_path, scheme):
    path = files[scheme].path
    done = []
    data = (held_out.images, held_out.labels)
    got = tflite.android.evaluate(
        path, data, tool=tool.make(tmp_path), count=4, progress=lambda *counts: done.append(counts)
    )
    here = tflite.evaluate(path, (held_out.images[:4], held_out.labels[:4]))
    assert (got.samples, got.correct, got.accuracy) == (4, here.correct, here.accuracy)
    assert (got.agreement, got.max_difference) == (1.0, pytest.approx(0.0, abs=0 if scheme == "int8" else 1e-4))
    assert (got.path, got.delegate, got.threads, got.tool) == (path, "xnnpack", 1, "benchmark_model")
    assert got.device == "Fake & Sons Phone 'One', Acme AC9000"
    assert done == [(1, 4), (4, 4)]


def test_pixels_are_scaled_for_the_phone_too(phone, network, held_out, tmp_path):
    """Its input stands for [0, 1]: the pixels 0 and 255 are the integers −128 and 127."""
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, network(keras.layers.Rescaling(255.0)(inputs)))
    fractions = (held_out.images[:100] / 255).astype("float32")
    path = tmp_path / "a.tflite"
    tflite.convert(model, path, scheme="int8", representative=fractions, input_type="int8")
    images, labels = held_out.images[:4], held_out.labels[:4]
    got = tflite.android.evaluate(path, (images, labels), tool=tool.make(tmp_path))
    answers = np.asarray(network(images.astype("float32"), training=False))
    assert got.correct == (answers.argmax(axis=1) == labels).sum()
    assert (got.agreement, got.max_difference) == (1.0, 0)
    with pytest.raises(ModelError, match="Expected numbers from 0 to 1"):
        tflite.android.evaluate(path, (images.astype("float32"), labels), tool=tool.make(tmp_path))


def test_answers_that_differ_are_told(phone, files, held_out, tmp_path, monkeypatch):
    """A phone that computes something else: every image is taken for the class 3."""
    here = tflite.model_file.interpreter.Runner(files["int8"].path).integers(held_out.images[:3])
    wrong = here.copy()
    wrong[:, 3] = 127
    program = tool.make(tmp_path)
    answers = f"bytes.fromhex({wrong.tobytes().hex()!r})"
    program.write_text(
        program.read_text().replace(
            "tool.main(", f"tool._answer = lambda graph, content, shape: {answers}[:10]\ntool.main("
        )
    )
    labels = np.full(3, 3)
    got = tflite.android.evaluate(files["int8"].path, (held_out.images[:3], labels), tool=program)
    assert got.accuracy == 1.0
    assert got.agreement == np.mean(here.argmax(axis=1) == 3)
    assert got.max_difference == np.abs(wrong[0].astype(int) - here.astype(int)).max()


def test_a_phone_that_answers_nan(phone, files, held_out, tmp_path):
    """The first of numbers that are none is no class, not 0."""
    program = tool.make(tmp_path)
    answer = f"bytes.fromhex({np.full(10, np.nan, 'float32').tobytes().hex()!r})"
    program.write_text(
        program.read_text().replace("tool.main(", f"tool._answer = lambda graph, content, shape: {answer}\ntool.main(")
    )
    data = (held_out.images[:3], np.zeros(3, int))
    got = tflite.android.evaluate(files["float32"].path, data, tool=program)
    assert (got.correct, got.agreement) == (0, 0.0)
    assert got.to_dict()["max_difference"] is None


def test_unlabelled_images_are_left_out(phone, files, held_out, tmp_path):
    """Of the two that are left one label is right."""
    labels = Runner(files["int8"].path).integers(held_out.images[:6]).argmax(axis=1)
    labels[[0, 2, 3, 5]] = -1
    labels[4] = (labels[4] + 1) % 10
    got = tflite.android.evaluate(files["int8"].path, (held_out.images[:6], labels), tool=tool.make(tmp_path), count=9)
    assert (got.samples, got.correct, got.accuracy, got.agreement) == (2, 1, 1 / 2, 1.0)


@pytest.mark.parametrize(
    ("generation", "message"),
    [
        ("litert", "cannot run images of ours: it does not know --input_layer, --input_layer_shape, --input_layer_val"),
        ("2020", "cannot run images of ours: it does not know --output_filepath. Take a newer benchmark_model of"),
    ],
)
def test_tools_that_cannot(phone, files, held_out, tmp_path, generation, message):
    with pytest.raises(MeasurementError, match=message):
        tflite.android.evaluate(
            files["int8"].path, (held_out.images[:2], held_out.labels[:2]), tool=tool.make(tmp_path, generation)
        )


@pytest.mark.parametrize(
    ("fault", "message"),
    [("crash", r"failed on an image: it crashed \(SIGSEGV\)"), ("nonsense", "Could not read what the benchmark tool")],
)
def test_tools_that_fail(phone, files, held_out, tmp_path, fault, message):
    with pytest.raises(MeasurementError, match=message):
        tflite.android.evaluate(
            files["int8"].path, (held_out.images[:2], held_out.labels[:2]), tool=tool.make(tmp_path, fault=fault)
        )


def test_another_delegate(phone, files, held_out, tmp_path):
    with pytest.raises(MeasurementError, match=r"Expected the delegate 'gpu'. Received: 'xnnpack'"):
        tflite.android.evaluate(
            files["int8"].path,
            (held_out.images[:2], held_out.labels[:2]),
            tool=tool.make(tmp_path, delegate="xnnpack"),
            delegate="gpu",
        )


def test_a_tool_that_keeps_its_outputs(phone, files, held_out, tmp_path):
    program = tool.make(tmp_path)
    program.write_text(program.read_text().replace("tool.main(", "tool._answer = lambda *_: b'ab'\ntool.main("))
    with pytest.raises(MeasurementError, match=r"Expected 2 outputs of 10 bytes from .* Received: 4 bytes"):
        tflite.android.evaluate(files["int8"].path, (held_out.images[:2], held_out.labels[:2]), tool=program)


def test_images_that_do_not_fit(files, held_out):
    path, images, labels = files["int8"].path, held_out.images[:4], held_out.labels[:4]
    for dataset, options, message in [
        (images, {}, "Expected images with labels"),
        ((images, labels + 10), {}, r"Expected labels from 0 to 9. Received: 1\d"),
        ((images, np.full(4, -1)), {}, "at least one labelled image. Received: none"),
        ((images[..., 0], labels), {}, r"Expected images of shape \(n, 8, 8, 1\)"),
        ((images, labels), {"count": 0}, "`count`. Expected at least 1. Received: count=0"),
        ((images, labels), {"delegate": "x"}, "Invalid value for `delegate`"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.android.evaluate(path, dataset, **options)
