"""Students trained in several processes: they are those of one process, and what fails there is told here."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.killed import killed

from distiller import recipes, teachers
from distiller.errors import InputError, WorkError
from distiller.runs import parallel, pipeline
from distiller.runs.folder import RunFolder
from distiller.runs.stages import RunStages
from distiller.runs.students import StudentTrainer
from distiller.utils import processes
from distiller.utils.progress import Reporter

RECIPE = """
kind: run
summary: students that share a teacher, and one that goes on with another
data: {name: digits}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits}
    model: {name: wide, options: {widths: [8, 8], stem: 4}}
    training: {epochs: 1, steps_per_epoch: 4}
student: {name: wide, options: {widths: [4, 4], stem: 4}}
training: {epochs: 2, batch_size: 32, steps_per_epoch: 3, crop: 1}
cache: {layers: true}
seeds: [3]
arms:
  aware: {start: soft, quantize: {scheme: int8}, objectives: {soft: {name: hinton}}}
  hard_labels: {}
  soft: {objectives: {soft: {name: hinton}}}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return recipes.read_run(path)


def prepare(recipe, path):
    """A run with its teacher, that lacks its students."""
    stages = RunStages(recipe, None, Reporter())
    stages.prepare(RunFolder.open(path, recipe, resume=False, force=False))
    return stages


@pytest.fixture(scope="module")
def alone(recipe, tmp_path_factory):
    """Students trained in this process."""
    stages = prepare(recipe, tmp_path_factory.mktemp("alone") / "run")
    for name in ("hard_labels", "soft"):
        stages.train_student(name, 3)
    return stages.folder


@pytest.fixture
def prepared(recipe, alone, tmp_path):
    """A run that lacks its students, with the teacher of the other."""
    folder = RunFolder.open(tmp_path / "run", recipe, resume=False, force=False)
    (folder.path / "stages").mkdir()
    for name in ("teacher.keras", "stages/teacher"):
        (folder.path / name).symlink_to(alone.path / name)
    return folder


def test_the_students_are_those_of_one_process(recipe, alone, prepared, monkeypatch):
    monkeypatch.setattr(StudentTrainer, "fit_student", lambda *_: pytest.fail("trained here"))
    parallel.train_students(recipe, prepared, None, Reporter(), 2)
    assert prepared.result("aware-3")["steps"] == 6  # it goes on with another, which must be there first
    for student in ("hard_labels-3", "soft-3"):
        one, other = (teachers.load(run.path / f"{student}.keras").get_weights() for run in (alone, prepared))
        for weights, same in zip(one, other, strict=True):
            np.testing.assert_allclose(same, weights, rtol=1e-4, atol=1e-5)


def test_a_run_goes_on_with_students_trained_beside_one_another(recipe, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(RunStages, "rehearse", lambda _: None)
    monkeypatch.setattr(RunStages, "prepare", lambda *_: called.append("prepare"))
    monkeypatch.setattr(pipeline, "train_students", lambda *given: called.append(given[-2:]))
    monkeypatch.setattr(RunStages, "into", lambda *_: {"called": called})
    assert pipeline.run(recipe, tmp_path / "out", processes=2) == {"called": ["prepare", (2, None)]}


def test_a_training_that_fails_is_told(prepared):
    (prepared.path / "stages" / "hard_labels-3").write_text("in the way")
    with pytest.raises(WorkError, match="hard_labels, seed 3: FileExistsError"):
        parallel._train(prepared.path, None, ["hard_labels"], 3)


def test_a_process_that_is_killed_is_told(recipe, prepared, monkeypatch):
    monkeypatch.setattr(parallel, "_train", killed)
    monkeypatch.setattr(parallel, "load_backend", None)
    with pytest.raises(WorkError, match="fewer than 2 processes"):
        parallel.train_students(recipe, prepared, None, Reporter(), 2)


def test_a_single_student_is_left_to_the_caller(recipe, prepared, monkeypatch):
    monkeypatch.setattr(parallel, "pool", lambda _: pytest.fail("a process for one student"))
    one = recipe.model_copy(update={"arms": {"hard_labels": recipe.arms["hard_labels"]}})
    parallel.train_students(one, prepared, None, Reporter(), 2)
    assert not prepared.stage("hard_labels-3").exists()


def test_without_processes_there_is_no_run(recipe, tmp_path):
    with pytest.raises(InputError, match="processes"):
        pipeline.run(recipe, tmp_path / "out", processes=0)
    assert not (tmp_path / "out").exists()


def test_each_process_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    with processes.pool(3) as workers:
        assert workers.submit(os.getenv, "TF_NUM_INTRAOP_THREADS").result() == "2"
        assert workers.submit(os.getenv, "XLA_PYTHON_CLIENT_PREALLOCATE").result() == "true"
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ


def test_what_is_interrupted_ends_at_once():
    def interrupted():
        with processes.pool(1) as workers:
            workers.submit(os.getpid).result()
            workers.submit(time.sleep, 600)
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - started < 60


FIRST = """
import os, time
from distiller.utils.processes import pool
if __name__ == "__main__":
    with pool(1) as workers:
        print(workers.submit(os.getpid).result(), flush=True)
        workers.submit(time.sleep, 600).result()
"""


def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "first.py").write_text(FIRST)
    with subprocess.Popen([sys.executable, tmp_path / "first.py"], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        worker = int(first.stdout.readline())
        os.kill(worker, 0)
        first.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker goes on")
