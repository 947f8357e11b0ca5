"""The Android guide's Kotlin names what `tflite.convert` writes, and computes what it should."""

import re
from pathlib import Path

import numpy as np
import pytest

import tflite
from distiller import models
from tflite.model_file.interpreter import Runner, open_model

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "android.md").read_text()


@pytest.fixture(scope="module")
def kotlin():
    (snippet,) = re.findall(r"```kotlin\n(.*?)```", GUIDE, re.DOTALL)
    return snippet


@pytest.fixture(scope="module")
def converted(kotlin, tmp_path_factory):
    """A student of the snippet's image size and number of classes."""
    size = int(re.search(r"size = (\d+)", kotlin)[1])
    student = models.build("resnet8", 10, (size, size, 3), width=8)
    images = np.random.default_rng(0).integers(0, 256, (20, size, size, 3)).astype("uint8")
    path = tmp_path_factory.mktemp("readme") / "student.tflite"
    return tflite.convert(student, path, scheme="int8", representative=images), images


def test_names_and_types(kotlin, converted):
    conversion, _ = converted
    (call,) = re.findall(r'runSignature\(mapOf\("(\w+)" to [\w.()]+\), mapOf\("(\w+)" to \w+\), "(\w+)"\)', kotlin)
    assert open_model(conversion.path).get_signature_list() == {call[2]: {"inputs": [call[0]], "outputs": [call[1]]}}
    (asked,) = re.findall(r'getOutputTensorFromSignature\("(\w+)", "(\w+)"\)', kotlin)
    assert asked == call[1:]
    assert (conversion.input.dtype, conversion.input.scale, conversion.input.zero_point) == ("uint8", 1.0, 0)
    assert (conversion.output.dtype, conversion.output.quantized) == ("int8", True)


def test_sizes_and_labels(kotlin, converted):
    conversion, images = converted
    labels = re.findall(r'"(\w+)"', re.search(r"listOf\((.*?)\)", kotlin, re.DOTALL)[1])
    assert conversion.output.shape == (1, len(labels))
    assert len(set(labels)) == 10
    assert labels == sorted(labels)  # CIFAR-10 has them in the order of the alphabet
    assert int(re.search(r"allocateDirect\(size \* size \* (\d)\)", kotlin)[1]) == images.shape[-1]


def test_what_it_computes(kotlin, converted):
    """Its arithmetic, in NumPy: the logits and their probability are those of the interpreter."""
    conversion, images = converted
    assert "(scores[it] - output.zeroPoint) * output.scale" in kotlin
    assert "1 / logits.map { exp(it - logits[best]) }.sum()" in kotlin
    run = Runner(conversion.path)
    scores = run.integers(images)[0]
    logits = (scores.astype(int) - conversion.output.zero_point) * conversion.output.scale
    np.testing.assert_allclose(logits, run(images)[0], rtol=1e-6, atol=1e-6)
    exponentials = np.exp(logits - logits.max())
    assert 1 / exponentials.sum() == pytest.approx((exponentials / exponentials.sum()).max())


def test_its_colours_are_red_green_blue(kotlin):
    """Android packs a colour as 0xAARRGGBB."""
    shifts = re.findall(r"put\(\(?c(?: shr (\d+))?\)?\.toByte\(\)\)", kotlin)
    colour = 0xFF112233
    assert [colour >> int(shift or 0) & 0xFF for shift in shifts] == [0x11, 0x22, 0x33]


def test_its_commands_are_there():
    """Every option that the guide names is one of the command's."""
    import typer.main

    from distiller.cli.entry import app

    commands = typer.main.get_command(app).commands
    lines = re.findall(r"^distiller (\w+) ([^#\n]*)", GUIDE, re.MULTILINE)
    assert len(lines) == 8
    for name, rest in lines:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known
