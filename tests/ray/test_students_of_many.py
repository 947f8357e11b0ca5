"""Students that the machines of a cluster train are those of one process, whoever is lost."""

import json
import os
import signal

import numpy as np
import pytest
from support.ray import ended, lose, wait

from distiller import teachers

RECIPE = """
kind: run
summary: students of a teacher that takes its time
data: {{name: digits}}
teacher: {{function: "{teacher}"}}
student: {{name: wide, options: {{widths: [4, 4], stem: 4}}}}
training: {{epochs: 5, batch_size: 32, steps_per_epoch: 6, crop: 1, learning_rate: 0.05}}
seeds: [3, 4]
arms:
  hard_labels: {{}}
  soft: {{objectives: {{soft: {{name: hinton}}}}}}
export: {{schemes: [float32]}}
benchmark: {{runs: 20}}
"""
STEPS, BATCH = 6, 32
STUDENTS = [f"{arm}-{seed}" for arm in ("hard_labels", "soft") for seed in (3, 4)]


@pytest.fixture
def recipe(tmp_path, teacher):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(teacher=teacher.name))
    return path


def points(out):
    return {path.name for path in out.glob("stages/soft-*/state/epoch-*.weights.h5")}


def weights(out):
    return [teachers.load(out / f"{student}.keras").get_weights() for student in STUDENTS]


def accuracies(out):
    report = json.loads((out / "report.json").read_text())
    return [(row["name"], row["seed"], row["accuracy"]) for row in report["students"]]


def test_machines_and_the_call_are_lost(tmp_path, teacher, recipe, start, cluster):
    """A machine in the middle, then the call itself; another call on the folder is refused meanwhile."""
    code, _, errors = ended(start("run", recipe, "--out", tmp_path / "one"))
    assert code == 0, errors
    alone = teacher.calls(BATCH)
    assert len(alone) >= 2 * 5 * STEPS
    teacher.log.write_text("")
    teacher.takes(0.2)
    out = tmp_path / "many"
    command = ["run", recipe, "--out", out, "--ray", cluster.address]
    first = start(*command)
    wait(lambda: points(out), first)
    second = start(*command, "--resume")
    lose(cluster, teacher.last_process())
    code, _, errors = ended(second)
    assert code == 2
    assert "Another process is at the run" in errors
    wait(lambda: "epoch-000003.weights.h5" in points(out), first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (out / "report.json").exists()
    teacher.takes(0)
    code, _, errors = ended(start(*command, "--resume"))
    assert code == 0, errors
    for one, many in zip(weights(tmp_path / "one"), weights(out), strict=True):
        for expected, found in zip(one, many, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert accuracies(out) == accuracies(tmp_path / "one")
    # Every step was made; again at most those of the epochs that the lost machine and the killed call were in.
    seen = teacher.calls(BATCH)
    assert seen >= alone
    assert (seen - alone).total() <= 3 * STEPS
