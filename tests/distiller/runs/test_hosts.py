"""Hosts by options and by SLURM, and each one's part of a batch; `test_several_hosts.py` trains on some."""

import numpy as np
import pytest

from distiller import data, models, teachers
from distiller.data import Augmentation, Batches, MixUp
from distiller.errors import InputError
from distiller.runs import hosts, teacher_cache
from distiller.runs.hosts import Hosts

SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "8",
    "SLURM_JOB_ID": "8195",
    "SLURM_STEP_NODELIST": "gpu[007-010],login",
}


def test_by_options():
    assert Hosts.named("10.0.0.1:7000", 1, 4, {}) == Hosts("10.0.0.1:7000", 1, 4)
    assert Hosts.named("10.0.0.1:7000", 0, 4, SLURM).is_first


def test_by_slurm():
    # 8195 = 2 · 4096 + 3
    assert Hosts.named("slurm", None, None, SLURM) == Hosts("gpu007:61443", 3, 8)
    assert Hosts.named("a:7000", None, None, SLURM) == Hosts("a:7000", 3, 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a:7000", 0, None, {}), "Expected --host-index and --host-count with --hosts, or SLURM_PROCID"),
        (("a:7000", 4, 4, {}), r"--host-index from 0 to 3 of 4 hosts. Received: --host-index 4"),
        (("a", 0, 2, {}), r"Expected --hosts HOST:PORT or slurm. Received: --hosts a"),
        (("slurm", 0, 2, {}), r"Expected --hosts slurm in a job of SLURM, by srun"),
    ],
)
def test_that_cannot_be(given, message):
    with pytest.raises(InputError, match=message):
        Hosts.named(*given)


def test_train_on_jax(monkeypatch):
    monkeypatch.setattr(hosts.keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(InputError, match=r"KERAS_BACKEND=jax. Received: tensorflow"):
        Hosts("127.0.0.1:1", 0, 2).join()


@pytest.mark.parametrize("more", [{}, {"mixing": MixUp(0.4), "classes": 10}, {"taught": True}])
def test_have_each_a_part_of_a_batch(more, tmp_path):
    """Their parts together are the batch, across the end of a pass."""
    split, views = data.load("digits").train.take(np.arange(40)), Augmentation(crop=1)
    if more.get("taught"):
        teacher = models.build("wide", 10, (8, 8, 1), widths=[4, 4], stem=4)
        more = {"taught": teachers.Cache(tmp_path, teacher).build(split, views, seed=3, passes=2)}

    def batch(part):
        batches = Batches(split, 12, seed=3, augmentation=views, ids=True, **more)
        batches.part = part
        pixels, targets = batches[3]
        answers = targets.get("taught", {})
        return [pixels, targets["labels"], targets["ids"], *answers.values()]

    whole, parts = batch((0, 1)), [batch((index, 3)) for index in range(3)]
    assert {len(array) for part in parts for array in part} == {4}
    for together, *divided in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(np.concatenate(divided), together)


def test_compute_no_stored_outputs(monkeypatch, tmp_path):
    monkeypatch.setattr(teacher_cache, "joined", lambda: Hosts("a:1", 0, 2))
    with pytest.raises(InputError, match=r"read stored outputs and compute none. Expected 2 passes in .*cache.folder"):
        teacher_cache.read_alone(teachers.Cache(tmp_path, models.build("wide", 10, (8, 8, 1))), 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--host-index", 0), "Expected --hosts with --host-index and --host-count"),
        (("--hosts", "a:1", "--processes", 2), "Expected --hosts without --processes and --ray"),
        (("--hosts", "a:1", "--ray", "local"), "Expected --hosts without --processes and --ray"),
    ],
)
def test_beside_other_options(command, tmp_path, monkeypatch, more, message):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # which the command would set
    code, _, errors = command("run", "demo", "--out", tmp_path / "out", *more)
    assert code == 2
    assert message in errors
    assert not (tmp_path / "out").exists()
