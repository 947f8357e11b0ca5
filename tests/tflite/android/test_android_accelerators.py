"""Accelerators of a phone: what they ran, and answers of theirs that are wrong."""

import functools

import numpy as np
import pytest
from support.fake_device import tool

import tflite
from tflite import MeasurementError
from tflite.android import agreement
from tflite.model_file.tensor_spec import TensorSpec

pytest_plugins = ("support.fake_device.fixtures",)

PORT = TensorSpec("scores", "int8", (1, 3), scale=0.5, zero_point=-7)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("answers")


@pytest.fixture
def program(tmp_path, kept):
    """Makes a tool that computes the same answer once for all tests."""
    return functools.partial(tool.make, tmp_path, kept=kept)


@pytest.fixture
def data(held_out, network):
    """Three images, of which the network takes one for a 9."""
    guesses = np.asarray(network(held_out.images[:60].astype("float32"), training=False)).argmax(axis=1)
    chosen = [*np.flatnonzero(guesses == 9)[:1], *np.flatnonzero(guesses != 9)[:2]]
    return held_out.images[chosen], held_out.labels[chosen]


def test_a_gpu_that_answers_as_the_processor(phone, files, data, program):
    path = files["float32"].path
    done = []
    got = tflite.android.evaluate(
        path,
        data,
        tool=program(taken={"gpu": (9, 12)}),
        delegate="gpu",
        progress=lambda *counts: done.append(counts),
    )
    assert (got.delegate, got.agreement, got.cpu_agreement) == ("gpu", 1.0, 1.0)
    assert got.cpu_max_difference == pytest.approx(0.0, abs=1e-4)
    assert (got.delegated_operators, got.file_operators) == (9, 12)
    assert (got.nan_images, got.zero_images, got.flags) == (0, 0, ())
    assert done == [(1, 6), (3, 6), (4, 6), (6, 6)]


@pytest.mark.parametrize(
    ("fault", "scheme", "counts", "flag"),
    [
        ("nan", "float32", (3, 0), "NaN or infinite outputs on 3 of 3 images"),
        ("zero", "float32", (0, 3), "all outputs are zero on 3 of 3 images"),
        ("zero", "int8", (0, 3), "all outputs are zero on 3 of 3 images"),
        ("same", "int8", (0, 0), "the same outputs for all 3 images"),
        ("wrong", "float32", (0, 0), "another class than here on"),
    ],
)
def test_a_gpu_that_answers_wrongly(phone, files, data, program, fault, scheme, counts, flag):
    path = files[scheme].path
    got = tflite.android.evaluate(path, data, tool=program(gpu=fault), delegate="gpu")
    assert (got.nan_images, got.zero_images) == counts
    assert flag in "; ".join(got.flags)
    right = np.asarray(tflite.model_file.interpreter.Runner(path).integers(data[0]))
    if fault == "wrong":  # the outputs in ascending order: the last class for every image
        assert got.cpu_agreement == got.agreement == np.mean(right.argmax(axis=1) == 9) == 1 / 3
        assert got.cpu_max_difference == pytest.approx(np.abs(right - np.sort(right, axis=1)).max(), rel=1e-4)
    if fault == "zero":
        assert got.max_difference == pytest.approx(np.abs(right.astype("float64")).max(), rel=1e-4)


def test_delegates_side_by_side(phone, files, data, program):
    """The GPU crashes, and the others answer."""
    path = files["int8"].path
    made = program(gpu="crash", taken={"nnapi": (3, 12)})
    got = tflite.android.compare_delegates(path, data, tool=made, delegates=["xnnpack", "gpu", "nnapi"])
    assert [one.delegate for one in got.evaluations] == ["xnnpack", "nnapi"]
    assert list(got.failures) == ["gpu"]
    assert "it crashed (SIGSEGV)" in got.failures["gpu"]
    xnnpack, nnapi = got.evaluations
    assert (xnnpack.cpu_agreement, nnapi.cpu_agreement) == (None, 1.0)
    assert xnnpack.delegated_operators == xnnpack.file_operators == len(tflite.inspect(path).operators)
    assert (nnapi.delegated_operators, nnapi.file_operators) == (3, 12)
    with pytest.raises(MeasurementError, match=r"failed on an image: it crashed \(SIGSEGV\)"):
        tflite.android.evaluate(path, data, tool=made, delegate="gpu")


def test_a_comparison_needs_the_processor(phone, files, data, program):
    got = tflite.android.evaluate(files["int8"].path, data, tool=program(delegate="gpu"), delegate="gpu")
    assert (got.cpu_agreement, got.agreement) == (None, 1.0)
    assert "not compared with the phone's CPU: Expected the delegate 'xnnpack'. Received: 'gpu'" in got.notes[0]


def test_signs_of_wrong_answers():
    right = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.25]])
    port = TensorSpec("scores", "float32", (1, 3))
    assert list(agreement.signs(right + 0.004, right, port)) == []  # as 16-bit arithmetic does
    worse = right.copy()
    worse[3] = 0.0, 0.25, 0.5
    assert list(agreement.signs(worse, right, port)) == [
        "an output differs by 25% of the range that the outputs have here",
        "another class than here on 25% of the images",
    ]
    infinite = right.copy()
    infinite[1, 2] = -np.inf
    assert list(agreement.signs(infinite, right, port)) == ["NaN or infinite outputs on 1 of 4 images"]


def test_zeros_are_the_number_and_the_zero_point():
    expected = np.array([[1, 2, 3]] * 4 + [[0, 0, 0]], "int8")
    answers = np.array([[0, 0, 0], [-7, -7, -7], [1, 2, 3], [0, 0, 1], [0, 0, 0]], "int8")
    assert agreement.all_zero(answers, expected, PORT).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("generation", "options", "expected"),
    [
        ("2024", {"gpu": "zero"}, "gpu answers wrongly to random pixels: all outputs are zero on 3 of 3 images"),
        ("2024", {}, None),
        ("litert", {}, "the answers of gpu were not compared: The benchmark tool"),
    ],
)
def test_a_latency_says_where_the_answers_are_wrong(phone, files, program, generation, options, expected):
    made = program(generation, **options)
    got = tflite.android.benchmark(files["float32"].path, tool=made, delegate="gpu", threads=(1, 2))
    if expected is None:
        assert got[0].notes == ()
    else:
        assert got[0].notes[0].startswith(expected)
    assert got[1].notes == ()  # once for all numbers of threads
    assert got[0].delegated_operators == got[0].file_operators
