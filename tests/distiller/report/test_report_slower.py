"""Integer files that are slower than their twins, and the operators that make it so."""

import dataclasses
from pathlib import Path

import pytest
from support.made_reports import folder_of, made

import tflite
from distiller import report
from distiller.report import measured, slower
from distiller.report.content import Report
from distiller.runs import profiling
from tflite import BenchmarkResult, Benchmarks, OperatorTime

FLOAT = [("Convolution (NHWC, F32) IGEMM", 0.009, True), ("Add (ND)", 0.001, True)]
INTEGER = [
    ("QUANTIZE", 0.004, False),
    ("Convolution (NHWC, QC8) IGEMM", 0.006, True),
    ("Convolution (NHWC, QC8) IGEMM", 0.002, True),
    ("Add (ND)", 0.004, True),
    ("Elementwise, one input", 0.0025, True),
    ("Clamp (NC)", 0.002, True),
    ("Mean (ND)", 0.0015, True),
]
WHY = (
    "Of its operators these take longer: QUANTIZE +0.004 ms, not taken by the delegate; Add +0.003 ms; "
    "Elementwise, one input +0.0025 ms; 2 more +0.0035 ms; the others save 0.001 ms."
)


def measured_as(integer, floating, operators=True, **changes):
    """A report with these medians of each file, in milliseconds."""
    content = made(**changes)
    for file in content["tflite"]:
        kind = INTEGER if file["scheme"] == "int8" else FLOAT
        file["latency_ms"] = {"median": integer if file["scheme"] == "int8" else floating, "p90": 1.0}
        if operators and file["student"] == "distilled" and file["seed"] == 1:
            file["operators"] = [{"type": name, "mean_ms": ms, "delegated": own} for name, ms, own in kind]
    return content


def test_the_operators_are_named_with_what_they_cost():
    found = slower.sentences(Report.model_validate(measured_as(0.018, 0.011)))
    assert found == [
        "hard labels: int8 is slower than float32, 0.018 against 0.011 ms (1 thread on a desk). Which operators make "
        "it so: distiller benchmark hard_labels-0-int8.tflite hard_labels-0-float32.tflite --profile --report RUN.",
        f"distilled: int8 is slower than float32, 0.018 against 0.011 ms (1 thread on a desk). {WHY}",
    ]


@pytest.mark.parametrize(("integer", "floating"), [(0.010, 0.018), (0.018, 0.018), (0.01801, 0.018)])
def test_a_file_that_is_not_slower_has_no_sentence(integer, floating):
    assert slower.sentences(Report.model_validate(measured_as(integer, floating))) == []


def test_an_aware_student_has_the_twin_of_the_one_it_goes_on_from():
    content = measured_as(0.018, 0.011, hard=[], schemes=("float32", "int8"))
    content["students"] += [dict(one, name="aware") for one in content["students"]]
    for file in content["tflite"]:
        file["student"] = "aware" if file["scheme"] == "int8" else "distilled"
    assert slower.sentences(Report.model_validate(content)) == []
    content["budget"]["others"] = [{"student": "aware", "steps": 9, "epochs": 1, "start": "distilled"}]
    (said,) = slower.sentences(Report.model_validate(content))
    assert said == f"aware: int8 is slower than float32, 0.018 against 0.011 ms (1 thread on a desk). {WHY}"


def test_the_page_has_the_sentence_of_benchmarks_that_were_added(tmp_path):
    folder = folder_of(tmp_path, measured_as(0.01, 0.02))
    results = []
    for scheme, kinds, ms in (("float32", FLOAT, 1.0), ("int8", INTEGER, 2.5)):
        operators = tuple(OperatorTime(f"{i}", *kind[:2], 0.1, 1, kind[2]) for i, kind in enumerate(kinds))
        name = f"distilled-2-{scheme}.tflite"
        options = {"bytes": 9, "warmup_runs": 1, "device": "a phone", "threads": 4, "delegate": "xnnpack"}
        results.append(BenchmarkResult.of(name, [ms], operators=operators, **options))
    measured.add(folder, Benchmarks(tuple(results), (), (), 0.95))
    text = report.write(folder).read_text()
    assert f"distilled: int8 is slower than float32, 2.50 against 1.00 ms (4 threads on a phone). {WHY}" in text
    assert text.count("is slower than") == 1


def test_time_between_operators_is_blamed_on_none_of_them():
    content = measured_as(0.018, 0.011)
    for file in content["tflite"]:
        if "operators" in file:
            file["operators"] = [{"type": "Add (ND)", "mean_ms": 0.001, "delegated": True}]
    said = slower.sentences(Report.model_validate(content))[1]
    assert said.endswith(
        "No operator takes longer: the time is between them, where a run starts and the delegate is called."
    )


def test_a_run_profiles_what_is_slower_and_nothing_else(monkeypatch):
    paths = [Path(f"{name}.tflite") for name in ("float", "slow", "quick", "alone")]
    results = [
        BenchmarkResult.of(path, [ms], bytes=9, warmup_runs=1, device="a desk", threads=2)
        for path, ms in zip(paths, (2.0, 3.0, 1.0, 9.0), strict=True)
    ]
    asked = []

    def profile(path, threads):
        asked.append((path, threads))
        operators = (OperatorTime("y", "ADD", 1.0, 1.0, 1, False),)
        versions = {"python": "3"}
        return tflite.Profile(path, threads, "xnnpack", 9, 1.0, operators, None, "a desk", versions, "a tool")

    monkeypatch.setattr(tflite, "profile", profile)
    float_, slow, quick, alone = paths
    found = profiling.explain(results, {slow: float_, quick: float_, alone: Path("lost.tflite")})
    assert asked == [(float_, 2), (slow, 2)]
    assert [one.operators is not None for one in found] == [True, True, False, False]
    assert [dataclasses.replace(one, operators=None) for one in found] == results
