"""Numbers on how a browser's answers agree with the interpreter's, by hand; the browser itself is in `tests/serve`."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.files import browser_parity
from tflite import TensorSpec

HERE = np.array([[0.0, 2.0], [4.0, 2.0], [6.0, 0.0], [2.0, 8.0]], "float32")
STAMP = {"versions": {"ai-edge-litert": "2.3.0"}, "machine": {"processor": "A desk", "cores": 2}}


def model(**port):
    return SimpleNamespace(
        answers=HERE, truth=np.array([1, 0, 0, 0]), output=TensorSpec("scores", shape=(1, 2), **port), original=b"123"
    )


def test_integers_are_compared_as_the_numbers_that_they_stand_for():
    answers = np.array([[10, 11], [12, 13], [13, 10], [11, 14]], "uint8")  # one output is 4 where 2 is expected
    found = browser_parity.agreement(model(dtype="uint8", scale=2.0, zero_point=10), answers)
    assert (found["same_class"], found["same_outputs"], found["max_difference"]) == (0.75, 0.875, 4.0)
    assert (found["mean_difference"], found["range"], found["step"], found["images"]) == (0.5, 8.0, 2.0, 4)
    assert (found["accuracy_in_browser"], found["accuracy_here"]) == (0.5, 0.75)


def test_floating_point_numbers_are_compared_as_they_are():
    answers = HERE + np.float32(0.5) * (HERE == 8)
    found = browser_parity.agreement(model(dtype="float32"), answers)
    assert (found["max_difference"], found["same_outputs"], found["step"]) == (0.5, 0.875, None)


def test_the_table():
    port = {"dtype": "uint8", "scale": 2.0, "zero_point": 10}
    answers = np.array([[10, 11], [12, 13], [13, 10], [11, 14]], "uint8")
    shared = {"network": "a net", "bytes": 3, "litertjs": "2.5.3", "browser": "Chromium 1", **STAMP}
    integer = {"scheme": "int8", "changes": ["x"], **shared, **browser_parity.agreement(model(**port), answers)}
    floating = browser_parity.agreement(model(dtype="float32"), HERE + np.float32(0.5) * (HERE == 8))
    alike = {"scheme": "float16", "changes": [], **shared, **browser_parity.agreement(model(dtype="float32"), HERE)}
    said = browser_parity.table_of_run([{"scheme": "float32", "changes": [], **shared, **floating}, alike, integer])
    assert "| float16 | none: every output is the same to the last bit | 100.0% | 75.0% | 75.0% |" in said
    assert "| float32 | 0.5, 6.2e-02 of the range | 100.0% | 75.0% | 75.0% |" in said
    assert (
        "| int8, uint8 for int8 at both ends | 2 steps; 87.50% of the outputs are the same | 75.0% | 50.0% | 75.0% |"
        in said
    )
    assert said.endswith(
        "- a net, 4 images of the validation split; LiteRT.js 2.5.3 in Chromium 1, ai-edge-litert 2.3.0. "
        "A desk, 2 cores."
    )


def test_a_trial_is_no_result(capsys):
    with pytest.raises(SystemExit):
        browser_parity.main.parse(["--tiny"])
    assert "a --tiny run is no result" in capsys.readouterr().err
