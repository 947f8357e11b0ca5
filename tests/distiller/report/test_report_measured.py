"""Benchmarks on the page of a run."""

import dataclasses
import json
import subprocess
import sys

import pytest
from support.made_reports import folder_of, made

from distiller import report
from distiller.cli.benchmark import _tell
from distiller.errors import InputError
from distiller.report import latencies, measured
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
    known = benchmarks("a.tflite", [1.0]).results[0]
    mean = dataclasses.replace(known, median_ms=None, p90_ms=None, p95_ms=None, mean_ms=3.25)
    table = measured.table([known, mean])
    cells = [dict(zip(table.table.headings, row, strict=True)) for _, row in table.table.lines]
    assert [one["Median (ms)"] for one in cells] == ["1", ""]
    assert [one["Mean (ms)"] for one in cells] == ["1", "3.25"]
    assert [one["p90 (ms)"] for one in cells] == ["1", ""]
    assert "p90 (ms)" not in measured.table([mean]).table.headings


def test_the_page_says_what_a_latency_depends_on(run):
    """A phone's tool: its threads and delegate, its 95th percentile, and what it had to say."""
    found = benchmarks("int8.tflite", [1.0, 2.0], threads=4, delegate="gpu")
    notes = ("the gpu ran a <part> of the model",)
    phone = dataclasses.replace(found.results[0], p90_ms=None, p95_ms=7.125, notes=notes)
    measured.add(run, dataclasses.replace(found, results=(phone,)))
    text = report.write(run).read_text()
    for cell in (">4</td>", ">gpu</td>", ">7.125</td>", "int8.tflite: the gpu ran a &lt;part&gt; of the model"):
        assert cell in text
    assert "The thin mark is the 95th percentile." in text
    assert "90th" not in text


def test_marks_are_named_as_they_are():
    host = benchmarks("a.tflite", [1.0]).results[0]
    phone = dataclasses.replace(host, p90_ms=None)
    silent = dataclasses.replace(phone, p95_ms=None)
    assert latencies._marks([host, silent]) == "the 90th percentile"
    assert latencies._marks([phone]) == "the 95th percentile"
    assert latencies._marks([host, phone]) == "the 90th percentile, or the 95th"
    assert latencies._marks([silent]) == ""


def test_several_files_share_a_figure_and_a_table_of_operators(tmp_path):
    """Of one scale: four figures that are nearly alike compare nothing."""
    profiles = {
        "a.tflite": (("Convolution (NHWC, F32) IGEMM", 0.8, True), ("Mean (ND) Reduce2", 0.2, True)),
        "b.tflite": (("Convolution (NHWC, QC8) IGEMM", 0.3, True), ("QUANTIZE", 0.15, False)) * 2,
        "c.tflite": (),
    }
    results = [
        benchmarks(
            name,
            [1.0],
            operators=tuple(OperatorTime(f"{i}", kind, ms, ms, 1, own) for i, (kind, ms, own) in enumerate(profile)),
        ).results[0]
        for name, profile in profiles.items()
    ]
    _, picture = measured.pictures(results, tmp_path)
    assert picture.file.name == "operators.png"
    assert "a.tflite: Convolution 0.8 ms, Mean 0.2 ms; b.tflite: Convolution 0.6 ms, QUANTIZE 0.3 ms." in picture.alt
    found = measured.table(results).operators
    assert found.headings == ["Operator", "a.tflite", "b.tflite"]
    assert [cells for _, cells in found.lines] == [
        ("Convolution", "0.8000 (1×)", "0.6000 (2×)"),
        ("QUANTIZE, not delegated", "", "0.3000 (2×)"),
        ("Mean", "0.2000 (1×)", ""),
        ("all", "1.0000", "0.9000"),
    ]


def test_a_placeholder_of_the_runtime_is_not_shown(run):
    """As XNNPACK calls an elementwise operator: in what is measured now, and in what was kept before."""
    operators = (OperatorTime("Invalid Unary Op:1", "Invalid Unary Op", 1.5, 1.0, 1, True),)
    measured.add(run, benchmarks("int8.tflite", [1.0], operators=operators))
    text = report.write(run).read_text()
    assert "Elementwise, one input" in text
    assert "Invalid" not in text


def test_a_run_is_given_by_its_report_too(run):
    found = benchmarks("int8.tflite", [1.0])
    assert measured.add(run / "report.json", found) == measured.add(run, found)
    assert report.write(run / "report.json") == run / "report.html"
    (run / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"Expected the folder of a run, or its report.json. Received: .*other.json"):
        report.write(run / "other.json")


def test_what_was_measured_is_told_though_the_report_cannot_be_written(run, capsys):
    (run / "latencies").write_text("a file in the way")
    with pytest.raises(InputError, match="cannot be written"):
        _tell(benchmarks("int8.tflite", [1.0]), None, run, json=True)
    assert json.loads(capsys.readouterr().out)["results"][0]["path"] == "int8.tflite"


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


def test_a_file_whose_name_is_not_utf8_is_shown_by_its_bytes(run, tmp_path):
    found = benchmarks("caf\udce9.tflite", [1.0, 2.0])
    measured.add(run, found)
    assert "caf\\udce9.tflite</th>" in report.write(run).read_text()
    (picture,) = measured.pictures(found.results, tmp_path / "figures")
    assert (tmp_path / "figures" / picture.file.name).stat().st_size > 1000
