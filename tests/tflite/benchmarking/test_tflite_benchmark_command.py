"""`distiller benchmark` as from a shell, what it prints and draws, and the comparison with LiteRT's own benchmark."""

import json

import pytest
from matplotlib import image
from support import hostile_files

from benchmarks.files import litert_agreement
from distiller.cli import latencies
from distiller.errors import WorkError
from distiller.report import operators
from distiller.report.latencies import draw as draw_latencies
from tflite import BenchmarkResult, Benchmarks, OperatorTime

QUICK = ("--runs", "6", "--warmup", "1", "--min-seconds", "0")


@pytest.fixture
def distiller(command):
    return command


@pytest.fixture
def files_of(tmp_path):
    """A quick file and a slow one."""
    paths = [tmp_path / "quick.tflite", tmp_path / "slow.tflite"]
    for path, size in zip(paths, (2**10, 2**21), strict=True):
        path.write_bytes(hostile_files.filled(size))
    return paths


def made(name, times, **options):
    return BenchmarkResult.of(name, times, bytes=90_000, warmup_runs=1, device="a phone", **options)


def operator(kind, share, delegated=True):
    return OperatorTime(f"{kind}:0", kind, 2 * share, share, 1, delegated)


def test_json(distiller, files_of):
    code, out, err = distiller("benchmark", *files_of, "--threads", "1,2", "--json", *QUICK)
    assert (code, err) == (0, "")
    found = Benchmarks.from_json(out)
    assert [(one.path, one.threads, one.runs) for one in found.results] == [
        (path, threads, 6) for path in files_of for threads in (1, 2)
    ]
    assert len(found.ratios) == 3


def test_tables_and_figures(distiller, files_of, tmp_path):
    options = ("--delegate", "both", "--profile", "--figures", tmp_path / "figures")
    code, out, _ = distiller("benchmark", files_of[1], *options, *QUICK)
    assert code == 0
    for words in (
        "slow.tflite, xnnpack",
        "slow.tflite, no delegate",
        "times as long as",
        "from 6 rounds in turn",
        "operators of slow.tflite, no delegate",
        "FILL",
        "100.0%",
        f"Figure: {tmp_path / 'figures' / 'latency.png'}",
    ):
        assert words in out
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"latency.png", "operators.png"}


def test_real_images(distiller, files):
    code, out, _ = distiller("benchmark", files["int8"].path, "--data", "digits", *QUICK, "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["runs"] == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--threads", "one"), "Expected --threads as numbers with commas between: 1,2,4. Received: 'one'"),
        (("--threads", "0"), "`threads`. Expected at least 1"),
        (("--precision", "2"), "`precision`. Expected a fraction between 0 and 1"),
        (("--max-seconds", "0.1", "--min-seconds", "1"), "`max_seconds` of at least `min_seconds`"),
    ],
)
def test_bad_calls(distiller, files_of, arguments, message):
    code, out, err = distiller("benchmark", files_of[0], *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("benchmark",),
        ("inspect",),
        ("evaluate", "--data", "digits"),
        ("compare", "--data", "digits"),
    ],
)
def test_a_file_that_crashes_the_interpreter(distiller, tmp_path, arguments):
    path = tmp_path / "hostile.tflite"
    path.write_bytes(hostile_files.crash_while_opening())
    name, *options = arguments
    before = ("student.keras",) if name == "compare" else ()
    code, out, err = distiller(name, *before, path, *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"distiller: {str(path)!r} ended the process that ran it: the interpreter crashed")
    assert len(err.splitlines()) == 1


def test_table_of_a_tool_that_tells_little(capsys):
    """A phone's old tool: no median, no size."""
    known = made("a.tflite", [1234.5, 1240.0], threads=4, peak_memory_bytes=3 * 2**20, operators=())
    bare = {"median_ms": None, "p90_ms": None, "p99_ms": None, "throughput": None, "bytes": None, "threads": None}
    unknown = BenchmarkResult(**{**vars(known), **bare, "notes": ("the phone stayed hot",)})
    latencies.show([known, unknown])
    out = capsys.readouterr().out
    assert "1,237" in out
    assert "3.0 MiB" in out
    assert "the phone stayed hot" in out
    assert "None" not in out
    latencies.show_operators([unknown])
    assert capsys.readouterr().out == ""


def test_brackets_in_names_are_shown(capsys):
    results = [made(f"best[{name}].tflite", [1.0], operators=(operator("ADD", 1.0),)) for name in ("ema", "raw")]
    latencies.show(results)
    latencies.show_ratios(Benchmarks.of(results, [[1.0] * 6, [2.0] * 6], 0.95))
    latencies.show_operators(results)
    out = capsys.readouterr().out
    assert (out.count("best[ema].tflite"), out.count("best[raw].tflite")) == (3, 3)


def test_no_more_confidence_than_there_is(capsys):
    """Ten rounds and the two outermost: 1 - 2 / 1024 by the sign test."""
    results = [made("a.tflite", [1.0]), made("b.tflite", [1.0])]
    rounds = [[1.0] * 10, [2.0] * 10]
    latencies.show_ratios(Benchmarks.of(results, rounds, 0.99))
    assert "with 99.8% confidence, from 10 rounds" in capsys.readouterr().out


def test_operators_are_summed_by_type_and_place(capsys):
    found = (operator("CONV_2D", 0.3), operator("ADD", 0.1, False), operator("CONV_2D", 0.4), operator("ADD", 0.2))
    parts = operators.by_type(found)
    assert [(part.type, part.delegated, part.count) for part in parts] == [
        ("CONV_2D", True, 2),
        ("ADD", True, 1),
        ("ADD", False, 1),
    ]
    assert parts[0].share == pytest.approx(0.7)
    assert parts[0].mean_ms == pytest.approx(1.4)
    many = tuple(operator(f"KIND_{i}", 1 / 20) for i in range(20))
    latencies.show_operators([made("a.tflite", [1.0], operators=many)])
    out = capsys.readouterr().out
    assert "others" in out
    assert "40.0%" in out


def test_figure_of_latencies(tmp_path):
    results = [
        made("a.tflite", [1.0, 1.1, 50.0]),
        BenchmarkResult(**{**vars(made("b.tflite", [2.0, 2.2])), "median_interval_ms": (2.0, 2.2)}),
    ]
    picture = draw_latencies(results, tmp_path / "latency.png")
    assert image.imread(picture.file).shape[:2] == (picture.height, picture.width)
    assert "a.tflite 1.1 ms; b.tflite 2.1 ms" in picture.alt
    assert "a phone" in picture.caption
    bare = BenchmarkResult(**{**vars(results[0]), "median_ms": None})
    assert draw_latencies([bare], tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def test_figure_of_operators(tmp_path):
    many = (operator("CONV_2D", 0.5), operator("QUANTIZE", 0.1, False), *(operator(f"K{i}", 0.02) for i in range(20)))
    picture = operators.draw(many, tmp_path / "operators.png", of="a.tflite on a phone")
    assert image.imread(picture.file).shape[:2] == (picture.height, picture.width)
    assert "1× CONV_2D 50.0 %; 1× QUANTIZE 10.0 %" in picture.alt
    assert "8 others 16.0 %" in picture.alt
    assert operators.draw((), tmp_path / "none.png", of="nothing") is None


class TestAgreement:
    def test_verdict(self):
        line = litert_agreement.compare_medians([1.0, 1.1, 1.2, 1.1, 1.0, 1.1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
        assert line == {"ratio": pytest.approx(1.1), "interval": [1.0, 1.2], "limit": 0.05, "agree": False}
        assert litert_agreement.compare_medians([1.04] * 6, [1.0] * 6)["agree"]
        assert not litert_agreement.compare_medians([0.94] * 6, [1.0] * 6)["agree"]

    def test_sentence(self):
        line = {"network": "resnet8", "scheme": "int8", "ours_ms": [0.1], "theirs_ms": [0.2]}
        said = litert_agreement.sentence({**line, **litert_agreement.compare_medians([0.1] * 6, [0.2] * 6)})
        assert said == (
            "resnet8 int8: ours 0.1000 ms, theirs 0.2000 ms, ratio 0.500, from 0.500 to 0.500: NOT within 5%"
        )

    def test_both_measure_the_same_file(self, files):
        """Within a factor of three on a machine that may be busy; the recorded run is held to five percent."""
        asked = litert_agreement.main.parse(["--rounds", "1", "--runs", "300", "--results", "elsewhere"])
        path = files["float32"].path
        ratio = litert_agreement.our_median(path, asked) / litert_agreement.their_median(path, asked)
        assert 1 / 3 < ratio < 3

    def test_their_failure(self, tmp_path):
        asked = litert_agreement.main.parse(["--rounds", "1", "--results", "elsewhere"])
        with pytest.raises(WorkError, match=r"litert-benchmark failed on nowhere.tflite: .*not found"):
            litert_agreement.their_median(tmp_path / "nowhere.tflite", asked)

    def test_calls(self, capsys):
        for arguments, message in [
            (["--rounds", "5"], "fewer than 6 rounds have no interval: such a run is no result"),
            (["--runs", "1"], "--runs: expected 10 or more, received 1"),
        ]:
            with pytest.raises(SystemExit):
                litert_agreement.main.parse(arguments)
            assert message in capsys.readouterr().err
