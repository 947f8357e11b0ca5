"""Results that a page sends: the numbers that come of them, and what is refused."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from tflite.benchmark_tool.reading import read_all
from tflite.errors import ModelError
from tflite.serving import body_limit, read_results

SAMPLES = [1.0, 2.0, 3.0, 10.0]


@pytest.fixture
def outputs(served):
    """The answers of a browser: the interpreter's own, in uint8."""
    return served.output.quantize(served.answers)


@pytest.fixture
def sent(served, outputs):
    run = {"samples_ms": SAMPLES, "repeats": 1, "warmup_runs": 5, "first_ms": 7.5, "init_ms": 30, "resolution_ms": 0.1}
    return {
        "model": 0,
        "digest": served.digest,
        "build": "litert_wasm_threaded_internal",
        "device": {"name": "My phone", "model": "Pixel 8", "system": "Android 15", "browser": "Chrome 150"},
        "runs": [{"threads": 1, **run}, {"threads": 4, **run, "repeats": 20}],
        "answers": base64.b64encode(outputs.tobytes()).decode(),
    }


def read(sent, served):
    return read_results(json.dumps(sent).encode(), [served])


def test_numbers_become_a_benchmark(sent, served):
    one, four = read(sent, served).results
    assert (one.median_ms, one.mean_ms, one.min_ms, one.runs, one.warmup_runs) == (2.5, 4.0, 1.0, 4, 5)
    assert one.p90_ms == pytest.approx(3 + 0.7 * 7)
    assert (one.threads, four.threads, one.first_ms, one.init_ms) == (1, 4, 7.5, 30)
    assert (one.path, one.bytes, one.delegate) == (served.path, len(served.original), "xnnpack")
    assert one.device == "My phone (Pixel 8, Android 15), Chrome 150"
    assert one.tool == "LiteRT.js 2.5.3"
    assert one.notes[-1] == "The browser's clock moves in steps of 0.1 ms"
    assert four.notes[-1].endswith("each time is the mean of 20 runs, so that p90 is of such means")
    assert "its input takes uint8 for int8; its output gives uint8 for int8" in one.notes[0]


def test_answers_are_compared_here(sent, served, outputs):
    """The reference is counted by hand: one image of nine gets another class, by a difference that is known."""
    right = int((served.answers.argmax(axis=1) == served.truth).sum())
    assert 0 < right < 9
    notes = read(sent, served).results[0].notes
    assert f"on 9; the largest difference of an output is 0 steps of {served.output.scale:.4g}" in notes[1]
    assert notes[2] == f"Right on {right} of 9 images in the browser, on {right} here"
    other = outputs.copy()
    least, most = other[0].argmin(), other[0].argmax()
    other[0, [least, most]] = other[0, [most, least]]
    steps = int(other[0].max()) - int(other[0].min())
    sent["answers"] = base64.b64encode(other.tobytes()).decode()
    notes = read(sent, served).results[0].notes
    assert f"gives here on 8; the largest difference of an output is {steps} steps" in notes[1]
    changed = right - (served.answers[0].argmax() == served.truth[0]) + (least == served.truth[0])
    assert notes[2] == f"Right on {changed} of 9 images in the browser, on {right} here"
    assert any(note.startswith("WRONG: another class than here on 11%") for note in notes)


def test_results_can_be_imported_again(sent, served, tmp_path):
    found = read(sent, served)
    path = tmp_path / "browser.json"
    path.write_text(found.to_json())
    assert read_all(path) == found.results


def test_the_largest_that_a_page_sends_is_within_the_limit(sent, served):
    sent["runs"] = [{**sent["runs"][0], "samples_ms": [123.45678901234567] * 1000}] * 2
    assert len(json.dumps(sent)) < body_limit([served])


def test_names_cannot_steer_a_terminal(sent, served):
    sent["device"]["name"] = "a\x1b[31m\nb\u202ec"
    assert read(sent, served).results[0].device.startswith("a[31mbc (Pixel 8")
    sent["device"] = {"name": "", "model": "", "system": "", "browser": ""}
    assert read(sent, served).results[0].device == "a browser"


def test_a_file_that_was_replaced_is_told(sent, served, monkeypatch):
    monkeypatch.setattr(type(served), "replaced", True)
    assert (
        "The file was replaced after it was served: these numbers are of the one before"
        in read(sent, served).results[0].notes
    )


NAN, HUGE = float("nan"), 10**400


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("model",), 1, "model as a whole number from 0 to 0"),
        (("model",), -1, "model"),
        (("model",), True, "model"),
        (("model",), None, "model"),
        (("digest",), "0" * 64, "those of another"),
        (("build",), "../../x", "a build of"),
        (("device",), "phone", "the device as a JSON object"),
        (("device", "name"), "x" * 201, "name as a text of at most 200"),
        (("device", "model"), {"a": 1}, "model as a text"),
        (("runs",), [], "one to 8 runs"),
        (("runs",), [{}] * 9, "one to 8 runs"),
        (("runs",), [1], "one to 8 runs"),
        (("runs", 0, "samples_ms"), [], "samples_ms with 1 to 5,000 times"),
        (("runs", 0, "samples_ms"), [1.0] * 5001, "samples_ms with 1 to 5,000 times"),
        (("runs", 0, "samples_ms"), [1.0, -1.0], "samples_ms as a number from 0"),
        (("runs", 0, "samples_ms"), [NAN], "samples_ms as a number"),
        (("runs", 0, "samples_ms"), ["1"], "samples_ms as a number"),
        (("runs", 0, "threads"), 0, "threads as a whole number from 1 to 256"),
        (("runs", 0, "threads"), 1.5, "threads as a whole number"),
        (("runs", 0, "first_ms"), float("inf"), "first_ms as a number"),
        (("runs", 0, "first_ms"), HUGE, "first_ms as a number"),
        (("runs", 0, "repeats"), "20", "repeats as a whole number"),
        (("answers",), "AAAA", r"answers of 27 bytes in base64. Received: 3"),
        (("answers",), "!" * 36, "answers of 27 bytes"),
        (("answers",), [0] * 27, "answers of 27 bytes"),
    ],
    ids=lambda it: None if it is HUGE else str(it)[:30],
)
def test_anything_else_is_refused(sent, served, place, value, said):
    held = sent
    for step in place[:-1]:
        held = held[step]
    held[place[-1]] = value
    with pytest.raises(ModelError, match=said):
        read(sent, served)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_object_is_refused(served, body):
    with pytest.raises(ModelError, match="Expected"):
        read_results(body, [served])


def test_floating_point_answers_that_are_no_numbers(served, sent):
    port = replace(served.output, dtype="float32", scale=None, zero_point=None)
    floating = replace(served, output=port, content=served.original, changes=())
    answers = served.answers.copy()
    answers[4, 1] = np.nan
    sent["answers"] = base64.b64encode(answers.tobytes()).decode()
    notes = read(sent, floating).results[0].notes
    assert any("gives here on 8;" in note for note in notes)
    assert "WRONG: NaN or infinite outputs on 1 of 9 images" in notes
