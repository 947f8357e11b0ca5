"""What stands around the tool's lines where they were shown, saved or copied: the same numbers in every form."""

import pytest
from support.fake_device import generations, profiles
from support.fake_device.generations import Phase, Run

from tflite.benchmark_tool.lines import whole_lines
from tflite.benchmark_tool.log import parse_log
from tflite.benchmark_tool.operator_profile import parse_profile

RUN = Run(Phase((2190, 83, 84, 81)), Phase((109, 82, 80, 443, 78, 82)), threads=4, peak_mb=7.44531)
ROWS = [("CONV_2D", "[a, b]:0", 0.0625), ("Fully Connected (NC, F32) GEMM", "[c;d]:1", 0.03125), ("ADD", "e", 0.5)]

FORMS = {
    "logcat": "12-01 10:31:13.123  1767 21767 I tflite  : {}",
    "logcat, year": "2026-12-01 10:31:13.123  1767 21767 I tflite  : {}",
    "logcat, zone and microseconds": "2026-12-01 10:31:13.123456 +0100  1767 21767 I tflite  : {}",
    "logcat, epoch": "1764583873.123  1767 21767 I tflite  : {}",
    "logcat, monotonic": "    5873.123456  1767 21767 I tflite  : {}",
    "logcat, uid": "12-01 10:31:13.123 10123  1767 21767 I tflite  : {}",
    "logcat, name of a user": "12-01 10:31:13.123 u0_a123  1767 21767 I tflite  : {}",
    "logcat, time": "12-01 10:31:13.123 I/tflite  ( 1767): {}",
    "logcat, time, year and uid": "2026-12-01 10:31:13.123 I/tflite  (10123: 1767): {}",
    "logcat, brief": "I/tflite  ( 1767): {}",
    "logcat, process": "I( 1767) {}  (tflite)",
    "logcat, thread": "I( 1767:21767) {}",
    "logcat, tag": "I/tflite  : {}",
    "logcat, colour": "\x1b[38;5;40m12-01 10:31:13.123  1767 21767 I tflite  : {}\x1b[0m",
    "Android Studio": "2026-12-01 10:31:13.123  1767-21767  tflite                  org.example.app       I  {}",
    "Android Studio, no package": "2026-12-01 10:31:13.123  1767-21767  tflite                  pid-1767       I  {}",
    "Android Studio, compact": "10:31:13.123  I  {}",
    "Android Studio of 2020": "2026-12-01 10:31:13.123 1767-21767/org.example.app I/tflite: {}",
    "Android Studio of 2016": "12-01 10:31:13.123 1767-21767/? I/tflite: {}",
    "Xcode": "2026-12-01 10:31:13.123456+0100 TFLiteBenchmark[1767:21767] {}",
    "Xcode of 2016": "2026-12-01 10:31:13.123 TFLite Benchmark[1767:21767] {}",
    "iPhone": "Dec  1 10:31:13 iPhone TFLiteBenchmark(tflite)[1767] <Notice>: {}",
    "build server": "2026-12-01T10:31:13.1234567Z {}",
    "indentation": "    {}",
    "tab": "\t{}",
    "quotation": "> {}",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_numbers_are_those_of_the_plain_log(form):
    for generation in ("2019", "2022", "2024", "litert"):
        plain = generations.text(generation, RUN)
        text = "".join(f"{FORMS[form].replace('{}', line)}\n" for line in plain.splitlines())
        assert parse_log(text) == parse_log(plain)


@pytest.mark.parametrize("form", FORMS)
def test_the_operators_are_those_of_the_plain_table(form):
    for table in (profiles.printed, profiles.written):
        plain = profiles.whole(table(ROWS))
        text = "".join(f"{FORMS[form].replace('{}', line)}\n" for line in plain.splitlines())
        assert parse_profile(text) == parse_profile(plain)


@pytest.mark.parametrize("ending", ["\r\n", "\r\r\n", "\n"])
def test_line_breaks_of_terminals(ending):
    """adb wrote `\\r\\r\\n` on Windows."""
    plain = generations.text("2022", RUN)
    assert parse_log(plain.replace("\n", ending)) == parse_log(plain)


def test_what_is_no_prefix_stays():
    for line in ("count=1 curr=85", "Graph: [a]", "[c;d]:1", "I count", "12-01 apples: 3", "INFORMATION: 3"):
        assert whole_lines(line + "\n") == [line]
