"""Options that could not act where they are given: refused, before the work."""

import pytest

NATIVE = "without --android, --tool and --import. Received both"


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["convert", "a.keras", "a.tflite", "--count", "9"], "Expected --data with --count. Received: no --data"),
        (
            ["convert", "a.keras", "a.tflite", "--size", "64", "--classes", "3,5", "--data-dir", "."],
            "Expected --data with --data-dir and --classes and --size. Received: no --data",
        ),
        (
            ["convert", "a.keras", "a.tflite", "--groups", "cifar100_coarse", "--held-out", "0.1"],
            "Expected --data with --groups and --held-out. Received: no --data",
        ),
        (
            ["compare", "a.keras", "a.tflite", "--data", "digits", "--drop", "3"],
            "Expected --layers with --drop. Received: no --layers",
        ),
        (
            ["inspect", "a.tflite", "--overlay-of", "multiply_adds"],
            "Expected --overlay with --overlay-of. Received: no --overlay",
        ),
        (
            ["quantize", "a.keras", "a.tflite", "--data", "digits", "--soft", "0.5"],
            "Expected --teacher with --soft. Received: no --teacher",
        ),
        (["benchmark", "a.tflite", "--size", "64"], "Expected --data with --size. Received: no --data"),
        (["benchmark", "a.tflite", "--data-dir", "."], "Expected --data with --data-dir. Received: no --data"),
        *(
            (["benchmark", "a.tflite", *other, option, value], f"Expected {option} {NATIVE}")
            for other in (["--android"], ["--tool", "benchmark_model"])
            for option, value in [
                ("--rounds", "10"),
                ("--time-limit", "60"),
                ("--memory-limit", "4"),
                ("--confidence", "0.9"),
                ("--precision", "0.1"),
                ("--data", "digits"),
                ("--data-dir", "."),
                ("--size", "64"),
            ]
        ),
        *(
            (["benchmark", "--import", "log.txt", *option], f"Expected {option[0]} without --import. Received both")
            for option in [
                ["--threads", "1"],
                ["--runs", "200"],
                ["--warmup", "20"],
                ["--delegate", "gpu"],
                ["--profile"],
                ["--min-seconds", "1"],
                ["--max-seconds", "60"],
            ]
        ),
        (["benchmark", "--import", "log.txt", "--time-limit", "60"], f"Expected --time-limit {NATIVE}"),
    ],
)
def test_they_are_named_with_what_they_need(command, call, message):
    """Also where the value is that of nobody's asking."""
    code, out, errors = command(*call)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert message in errors


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr("distiller.utils.backend.load_backend", lambda: pytest.fail("the work has begun"))
