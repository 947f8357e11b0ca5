"""Steps in settings that grow stand beside the usual one of their round."""

import pytest

from benchmarks.results import lines
from benchmarks.speed import growth
from benchmarks.speed.workloads.setting import Setting


def made(step, setting, images, seconds):
    asked = {"classes": 10, "size": 32, "batch": 128}
    return {
        **{"step": step, "setting": setting, "images": images, "seconds": seconds, "run": "now", "arguments": asked},
        **{"machine": {"processor": "a processor", "cores": 2}, "versions": {"tensorflow": "2.21", "keras": "3.15"}},
    }


def test_ratios_are_of_the_same_round_and_step(tmp_path):
    found = [
        made("student", "usual", 128, [0.010, 0.020, 0.016]),
        made("student", "batch 512", 512, [0.030, 0.080, 0.080]),  # 3, 4 and 5 times as long
        made("hinton", "usual", 128, [0.1]),
        made("hinton", "size 64", 128, [0.4]),
    ]
    lines.append(tmp_path / "growth.jsonl", [{**found[0], "run": "before"}, *found])
    rows = growth.table(tmp_path / "growth.jsonl").splitlines()[2:]
    assert rows == [
        "| student | usual: classes 10, size 32, batch 128 | 16.0 ms |  |  |",
        "| student | batch 512 | 4.00 | 3.00–5.00 | 1.00 |",
        "| hinton | usual: classes 10, size 32, batch 128 | 100.0 ms |  |  |",
        "| hinton | size 64 | 4.00 | 4.00–4.00 | 4.00 |",
        "",
        "- a processor, 2 cores; TensorFlow 2.21, Keras 3.15.",
    ]


def test_each_setting_grows_in_one_respect():
    base = Setting.tiny()
    found = [(step, setting) for step, setting, *_ in growth.growing_workloads(base)]
    assert len(set(found)) == len(found) == 2 * (1 + 6) + 2
    make = next(make for step, setting, _, make in growth.growing_workloads(base) if setting == "classes 100")
    assert make.args[0].classes == 100
    assert make.args[0].size == base.size


def test_a_tiny_run_is_recorded_elsewhere(capsys):
    with pytest.raises(SystemExit):
        growth.main(["--tiny"])
    assert "give --results another folder or file" in capsys.readouterr().err
