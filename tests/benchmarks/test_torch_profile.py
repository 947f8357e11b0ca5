"""Profiles of two frameworks are compared by what operators are for, round by round."""

import argparse
import os

import pytest

from benchmarks.results import lines
from benchmarks.speed import torch_profile
from benchmarks.speed.measuring import onednn
from distiller.errors import WorkError

HERE = {
    "run": "now",
    "torch": "2.13",
    "arguments": {"precision": "mixed_bfloat16", "batch": 128, "rounds": 3, "steps": 10},
    "machine": {"processor": "a processor", "cores": 2},
    "versions": {"tensorflow": "2.21", "keras": "3.15"},
}
OURS = {
    "framework": "distiller",
    "onednn": {"version": "3.7", "kernels": {"convolution, brg, backward_data": 8, "sum, ref, undef": 1}},
    "seconds": [0.020, 0.022, 0.021],
    "operators": {
        "Conv2D": {"runs": 9, "ms": [4.0, 4.0, 4.0]},
        "FusedConv2D": {"runs": 1, "ms": [1.0, 2.0, 3.0]},
        "Conv2DBackpropFilter": {"runs": 9, "ms": [5.0, 5.0, 5.0]},
        "Conv2DBackpropInput": {"runs": 8, "ms": [3.0, 3.0, 3.0]},
        "Cast": {"runs": 3, "ms": [0.5, 0.5, 0.5]},
    },
    **HERE,
}
THEIRS = {
    "framework": "torch",
    "onednn": {"version": "3.12", "kernels": {"convolution, brg, backward_data": 8}},
    "seconds": [0.018, 0.018, 0.018],
    "operators": {
        "mkldnn_convolution": {"runs": 9, "ms": [4.0, 5.0, 4.0]},
        "convolution_backward": {"runs": 9, "ms": [7.0, 7.5, 7.0]},
        "threshold_backward": {"runs": 7, "ms": [1.0, 1.0, 1.0]},
        "add_": {"runs": 70, "ms": [0.25, 0.25, 0.25]},
    },
    **HERE,
}


def test_operators_are_summed_by_work_and_the_rest_is_between_them():
    found = torch_profile.time_by_work(OURS)
    assert found["convolutions"] == [5.0, 6.0, 7.0]
    assert found["gradients of convolutions"] == [8.0, 8.0, 8.0]
    assert found["normalisation, ReLU"] == [0.0, 0.0, 0.0]
    assert found["all other operators"] == [0.5, 0.5, 0.5]
    assert found["between operators"] == pytest.approx([20 - 13.5, 22 - 14.5, 21 - 15.5])
    assert found["a step, not profiled"] == pytest.approx([20.0, 22.0, 21.0])


def test_the_table_has_the_differences_of_each_round(tmp_path):
    older = {**OURS, "run": "before", "seconds": [9.0, 9.0, 9.0]}
    lines.append(tmp_path / "profile.jsonl", [older, OURS, THEIRS])
    rows = torch_profile.table(tmp_path / "profile.jsonl").splitlines()
    # 5 - 4, 6 - 5, 7 - 4; of three rounds the interval is that of all.
    assert rows[2] == "| convolutions | 6.00 | 4.00 | 1.00 | 1.00 to 3.00 |"
    assert rows[3] == "| gradients of convolutions | 8.00 | 7.00 | 1.00 | 0.50 to 1.00 |"
    assert rows[5] == "| gradients of normalisation, ReLU | 0.00 | 1.00 | -1.00 | -1.00 to -1.00 |"
    assert rows[8] == "| a step, not profiled | 21.00 | 18.00 | 3.00 | 2.00 to 4.00 |"
    assert "oneDNN 3.7 here, 3.12 in PyTorch; 8 runs of the same kernels in both" in rows[10]


def process(precision, batch, steps):
    """A profile that tells what it was asked, and the process that made it."""
    return steps / 1000, {precision: {"runs": 1.0, "ms": float(os.getpid())}, "X": {"runs": 2.0, "ms": float(batch)}}


def failing(precision, batch, steps):
    raise RuntimeError("no such operator")


def asked(**other):
    return argparse.Namespace(**{"precision": "float32", "batch": 4, "steps": 5, "rounds": 3, **other})


def test_each_framework_has_a_process_of_its_own():
    counted = []
    found = torch_profile.profile_in_rounds({"one": process, "two": process}, asked(), done=counted.append)
    assert found["one"]["seconds"] == [0.005] * 3
    assert found["one"]["operators"]["X"] == {"runs": 2.0, "ms": [4.0] * 3}
    processes = [set(found[name]["operators"]["float32"]["ms"]) for name in ("one", "two")]
    assert [len(own) for own in processes] == [1, 1]
    assert len(set.union(*processes, {float(os.getpid())})) == 3
    assert counted == [1, 2, 3, 4, 5, 6]


def test_what_goes_wrong_in_a_process_is_told():
    with pytest.raises(WorkError, match="RuntimeError: no such operator"):
        torch_profile.profile_in_rounds({"one": process, "two": failing}, asked())


def test_onednn_tells_the_kernels_of_a_step():
    found = onednn.kernels_of_step(torch_profile.our_step, "float32", 2)
    assert found["version"].split(".")[0].isdigit()
    runs = dict.fromkeys(("forward_training", "backward_weights", "backward_data"), 0)
    for kernel, number in found["kernels"].items():
        primitive, _, way = kernel.split(", ")
        if primitive == "convolution":
            runs[way] += number
    # ResNet-8 has seven convolutions of 3×3 and two of 1×1; nothing needs the gradient of the images.
    assert runs == {"forward_training": 9, "backward_weights": 9, "backward_data": 8}


def test_a_step_here_is_profiled():
    seconds, operators = torch_profile.ours("float32", 2, 1)
    assert 0 < seconds < 60
    assert sum(operators[kind]["runs"] for kind in ("Conv2D", "FusedConv2D") if kind in operators) == 9  # of ResNet-8
    assert operators["Conv2DBackpropFilter"]["runs"] == 9
