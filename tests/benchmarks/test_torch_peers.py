"""Steps in other processes take turns, and the fastest way of each framework is compared."""

import time

import pytest

from benchmarks.results import lines
from benchmarks.speed import torch_peers
from benchmarks.speed.measuring import workers
from distiller.errors import WorkError


def sleepers(short: float):
    """Two steps that take known times."""
    return {"short": lambda: time.sleep(short) or [1.0], "long": lambda: time.sleep(4 * short) or [1.0]}


def broken():
    """A step that returns no number."""
    return {"nan": lambda: [float("nan")]}


def missing():
    """A process that cannot make its steps."""
    raise ImportError("no such framework")


def test_steps_in_processes_take_turns():
    counted = []
    with workers.Worker(sleepers, 0.005) as one, workers.Worker(sleepers, 0.01) as two:
        found = workers.time_in_rounds({"one": one, "two": two}, rounds=3, count=2, done=counted.append)
    assert found.keys() == {"one: short", "one: long", "two: short", "two: long"}
    assert all(len(seconds) == 3 for seconds in found.values())
    assert min(found["one: short"]) >= 0.005
    assert min(found["two: long"]) >= 0.04
    assert counted == list(range(1, 13))


@pytest.mark.parametrize(("make", "said"), [(broken, "finite"), (missing, "ImportError: no such framework")])
def test_what_goes_wrong_in_a_process_is_told(make, said):
    with workers.Worker(make) as one, pytest.raises(WorkError, match=said):
        one.names()


def line(contestant, *seconds):
    return {
        "contestant": contestant,
        "seconds": list(seconds),
        "run": "now",
        "torch": "2.13",
        "arguments": {"student": "resnet8", "teacher": "resnet20", "batch": 128, "rounds": 3, "steps": 8},
        "machine": {"processor": "a processor", "cores": 2},
        "versions": {"tensorflow": "2.21", "keras": "3.15"},
    }


def test_the_fastest_ways_are_compared_round_by_round(tmp_path):
    run = [
        line(f"{framework}: {loop}; {way}", *seconds)
        for loop in torch_peers.LOOPS
        for framework, way, seconds in (
            ("distiller", "float32", (0.9, 0.9, 0.9)),
            ("distiller", "mixed_bfloat16", (0.02, 0.03, 0.01)),
            ("torch", "float32", (0.8, 0.8, 0.8)),
            ("torch", "bfloat16", (0.04, 0.04, 0.04)),
        )
    ]
    lines.append(tmp_path / "keras_distillation.jsonl", run)
    rows = torch_peers.table(tmp_path / "keras_distillation.jsonl").splitlines()
    # 0.02 / 0.04, and the interval of three rounds is that of all of them.
    assert rows[2] == "| student | 0.50 | 0.25 to 0.75 | 20.0 | 40.0 | mixed_bfloat16 | bfloat16 |"
    assert rows[3].startswith("| logits | 0.50")
    assert rows[4].startswith("| logits, stored answers | 0.50")


def test_a_frozen_teacher_stands_beside_one_as_it_is(tmp_path):
    ways = {
        "distiller": {"float32": 0.5, "mixed_bfloat16": 0.06, "mixed_bfloat16, frozen teacher": 0.03},
        "torch": {"bfloat16": 0.04},
    }
    run = [
        line(f"{framework}: {loop}; {way}", seconds)
        for loop in torch_peers.LOOPS
        for framework, times in ways.items()
        for way, seconds in times.items()
        if loop == "logits" or "frozen" not in way
    ]
    lines.append(tmp_path / "keras_distillation.jsonl", run)
    rows = torch_peers.table(tmp_path / "keras_distillation.jsonl").splitlines()
    assert rows[3] == "| logits | 1.50 | 1.50 to 1.50 | 60.0 | 40.0 | mixed_bfloat16 | bfloat16 |"
    assert rows[4] == "| logits | 0.75 | 0.75 to 0.75 | 30.0 | 40.0 | mixed_bfloat16, frozen teacher | bfloat16 |"


def test_no_rounds_are_refused(capsys):
    with pytest.raises(SystemExit) as end:
        torch_peers.main(["--rounds", "0"])
    assert end.value.code == 2
    assert "--rounds: expected 1 or more, received 0" in capsys.readouterr().err
