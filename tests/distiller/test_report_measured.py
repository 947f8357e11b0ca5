"""Benchmarks on the page of a run."""

import dataclasses
import subprocess
import sys

import pytest
from made_reports import folder_of, made

from distiller import report
from distiller.errors import InputError
from distiller.report import measured
from tflite import BenchmarkResult, Benchmarks, OperatorTime


@pytest.fixture
def run(tmp_path):
    return folder_of(tmp_path, made())


def benchmarks(name, times, **options):
    one = BenchmarkResult.of(name, times, bytes=90_000, warmup_runs=1, device="a <phone>", **options)
    return Benchmarks((one,), (), (), 0.95)


def test_the_page_shows_them_with_figures(run):
    operators = (OperatorTime("y:0", "CONV_2D", 1.5, 0.75, 1, True), OperatorTime("z:0", "MEAN", 0.5, 0.25, 1, False))
    measured.add(run, benchmarks("int8.tflite", [1.0, 2.0, 4.0], operators=operators))
    measured.add(run, benchmarks("float32.tflite", [8.0, 8.0]))
    text = report.write(run).read_text()
    assert 'id="latencies"' in text
    assert text.index("int8.tflite</th>") < text.index("float32.tflite</th>")
    for cell in (">2</td>", ">3.6</td>", ">8</td>", "a &lt;phone&gt;"):
        assert cell in text
    assert "a <phone>" not in text
    assert text.count("Time by operator.") == 1
    assert text.count("<strong>Latency.</strong>") == 1
    assert (run / "figures" / "latency.png").exists()


def test_a_mean_is_no_median(run):
    """Tools that give no percentiles leave them empty."""
    result = dataclasses.replace(benchmarks("a.tflite", [1.0]).results[0], median_ms=None, p90_ms=None, mean_ms=3.25)
    cells = dict(zip(measured.HEAD, measured.rows([result])[0], strict=True))
    assert (cells["Median (ms)"], cells["Mean (ms)"], cells["p90 (ms)"]) == ("", "3.25", "")


def test_the_same_benchmarks_are_kept_once(run):
    found = benchmarks("int8.tflite", [1.0])
    assert measured.add(run, found) == measured.add(run, found)
    assert measured.read(run) == list(found.results)


def test_a_page_without_them_has_no_such_section(run):
    assert "Where it runs" not in report.write(run).read_text()


def test_a_damaged_file_is_named(run):
    path = measured.add(run, benchmarks("int8.tflite", [1.0]))
    path.write_text("{")
    with pytest.raises(InputError, match=rf"The benchmarks in '{path}' cannot be read.*Remove the file"):
        report.write(run)


def test_a_folder_without_a_run_is_refused_before_the_work(tmp_path):
    call = subprocess.run(
        [
            sys.executable,
            "-c",
            "from distiller.cli import main; main()",
            "benchmark",
            "student.tflite",
            "--report",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert call.returncode == 2
    assert call.stderr.count("\n") == 1
    assert str(tmp_path) in call.stderr
    assert not list(tmp_path.iterdir())
