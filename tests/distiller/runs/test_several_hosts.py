"""Processes that share the trainings of a run on JAX have the losses of one, and one goes on where two were killed."""

import csv
import os
import socket
import subprocess
import sys

import numpy as np

RECIPE = """
kind: run
summary: a student of a small teacher
data: {name: digits}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits}
    model: {name: wide, options: {widths: [8, 8], stem: 4}}
    training: {epochs: 2, batch_size: 32, steps_per_epoch: 4}
student: {name: wide, options: {widths: [4, 4], stem: 4}}
training: {epochs: 3, batch_size: 32, steps_per_epoch: 3, crop: 1, learning_rate: 0.05}
seeds: [3]
arms:
  soft: {objectives: {soft: {name: hinton}}}
export: {schemes: [float32]}
"""
PROCESS = """
import os, sys
from pathlib import Path
from distiller import recipes
from distiller.runs import fit, pipeline
from distiller.runs.folder import RunFolder
from distiller.runs.hosts import Hosts
from distiller.runs.stages import RunStages
from distiller.utils.progress import Reporter

path, out, address, index, count, ends = sys.argv[1:]

class Dies(fit.EpochCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if "soft-3" in str(self.folder):
            os._exit(9)

if ends == "killed":
    fit.EpochCheckpoint = Dies
recipe = recipes.read_run(path)
if count == "0":
    RunStages(recipe, None, Reporter()).train(RunFolder.open(Path(out), recipe, resume=False, force=False))
else:
    hosts = Hosts(address, int(index), int(count))
    pipeline.train_on_hosts(recipe, Path(out), hosts, resume=Path(out).exists())
"""


def train(recipe, out, count, ends=""):
    """Exit codes and errors of so many processes, of one without others where `count` is 0."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    calls = [
        subprocess.Popen([sys.executable, "-c", PROCESS, recipe, out, address, str(index), str(count), ends], **options)
        for index in range(max(count, 1))
    ]
    try:
        first = calls[0].communicate(timeout=600)[1]
        if not ends:
            for call in calls[1:]:
                assert call.wait(timeout=100) == 0
        return calls[0].returncode, first
    finally:
        for call in calls:
            call.kill()
            call.communicate()


def losses(out, stage):
    with (out / "stages" / stage / "metrics.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return {name: [row[name] for row in rows] for name in rows[0] if name != "seconds"}


def test_two_are_killed_and_one_goes_on(tmp_path):
    recipe, alone, shared = (tmp_path / name for name in ("recipe.yaml", "alone", "shared"))
    recipe.write_text(RECIPE)
    code, errors = train(recipe, alone, 0)
    assert code == 0, errors
    code, errors = train(recipe, shared, 2, "killed")
    assert code == 9, errors
    assert len(losses(shared, "soft-3")["loss"]) == 1
    assert not (shared / "soft-3.keras").exists()
    code, errors = train(recipe, shared, 1)
    assert code == 0, errors
    for stage, epochs in (("teacher", 2), ("soft-3", 3)):
        expected, found = losses(alone, stage), losses(shared, stage)
        assert expected.keys() == found.keys() >= {"loss", "val_loss"}
        assert len(found["loss"]) == epochs
        for name, numbers in expected.items():
            np.testing.assert_allclose(found[name], numbers, rtol=1e-4, err_msg=f"{stage} {name}")
    assert (shared / "soft-3.keras").exists()
