"""Answers that several processes and machines compute are those of one, each computed once, whoever is lost."""

import os
import signal

import numpy as np
import pytest
from support.ray import contents, digest, ended, logits, lose, wait

from distiller.data import Augmentation
from distiller.networks.feature_extraction import LOGITS
from distiller.recipes.schema import Data, Teacher
from distiller.runs.teacher_answers import TeacherAnswers, store_answers

VIEWS = Augmentation(crop=1)
# 1211 digits in shards of 200, the last of 11; batches of 50.
PASSES, SHARD, BATCH = 3, 200, 50
SHARDS = 7 * PASSES


def arguments(teacher, out):
    options = {
        "--data": "digits",
        "--crop": 1,
        "--passes": PASSES,
        "--shard": SHARD,
        "--batch-size": BATCH,
        "--out": out,
    }
    return ["answers", teacher.name, *(word for pair in options.items() for word in pair)]


def asked(teacher, out):
    return TeacherAnswers(
        teacher=Teacher(function=teacher.name),
        data=Data(name="digits", validation=0.1),
        folder=out,
        crop=1,
        passes=PASSES,
        shard=SHARD,
        batch_size=BATCH,
    )


@pytest.fixture
def alone(tmp_path, teacher, digits):
    """The bytes that one process writes, held against the formula; its calls are forgotten."""
    store_answers(asked(teacher, tmp_path / "one"))
    cache, *_ = asked(teacher, tmp_path / "one").open()
    for turn in range(PASSES):
        views = VIEWS(digits.images, VIEWS.draws(0, turn, len(digits)))
        found = cache.rows(turn, np.arange(len(digits)))[LOGITS]
        np.testing.assert_allclose(found, logits(views), rtol=2**-11, atol=1e-4)
    teacher.log.write_text("")
    return contents(tmp_path / "one")


def batches(digits):
    """Digests of all batches that the teacher has to see, those of a shard's end filled up."""
    for turn in range(PASSES):
        draws = VIEWS.draws(0, turn, len(digits))
        for shard in range(0, len(digits), SHARD):
            end = min(shard + SHARD, len(digits))
            for first in range(shard, end, BATCH):
                samples = np.resize(np.arange(first, min(first + BATCH, end)), BATCH)
                yield digest(VIEWS(digits.images[samples], draws[samples]))


def stored(folder):
    return {path: path.stat().st_ino for path in folder.rglob("*.npy")}


def doubled(teacher, digits):
    """How many batches the teacher saw more than once; every one it saw at all."""
    wanted, seen = set(batches(digits)), teacher.calls(BATCH)
    assert wanted <= seen.keys()
    return sum(seen[call] - 1 for call in wanted)


def test_four_processes_write_the_bytes_of_one(tmp_path, teacher, digits, alone, start):
    teacher.takes(0.2)
    processes = [start(*arguments(teacher, tmp_path / "four")) for _ in range(4)]
    for process in processes:
        code, output, errors = ended(process)
        assert code == 0, errors
        assert "3 passes" in output
    assert contents(tmp_path / "four") == alone
    assert doubled(teacher, digits) == 0
    assert len({line.split()[0] for line in teacher.log.read_text().splitlines()}) == 4


def test_a_machine_is_lost(tmp_path, teacher, digits, alone, start, cluster):
    """What it had stored stays; what it was at, one shard, is computed elsewhere."""
    teacher.takes(0.1)
    out = tmp_path / "answers"
    driver = start(*arguments(teacher, out), "--ray", cluster.address)
    wait(lambda: len(stored(out)) > 4, driver)
    lose(cluster, teacher.last_process())
    before = stored(out)
    assert len(before) < SHARDS
    code, _, errors = ended(driver)
    assert code == 0, errors
    assert stored(out).items() >= before.items()
    assert contents(out) == alone
    assert doubled(teacher, digits) <= SHARD // BATCH


def test_the_call_is_killed_and_called_again(tmp_path, teacher, digits, alone, start, cluster):
    """A shard that was cut short meanwhile is told, and computed when it is deleted."""
    teacher.takes(0.1)
    out = tmp_path / "answers"
    first = start(*arguments(teacher, out), "--ray", cluster.address)
    wait(lambda: len(stored(out)) > 4, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    harmed = min(stored(out))
    harmed.write_bytes(harmed.read_bytes()[:-40])
    code, _, errors = ended(start(*arguments(teacher, out), "--ray", cluster.address))
    assert code == 2
    assert "is cut short or damaged. Delete it and build the cache again" in errors
    harmed.unlink()
    before = stored(out)
    assert 3 < len(before) < SHARDS
    code, _, errors = ended(start(*arguments(teacher, out), "--ray", cluster.address))
    assert code == 0, errors
    assert stored(out).items() >= before.items()
    assert contents(out) == alone
    # The shards of two actors that were killed with the call, and the harmed one.
    assert doubled(teacher, digits) <= 3 * SHARD // BATCH


def test_two_calls_share_a_folder(tmp_path, teacher, digits, alone, start, cluster):
    """One of them on the cluster, one on this machine."""
    teacher.takes(0.2)
    out = tmp_path / "answers"
    calls = [start(*arguments(teacher, out), "--ray", cluster.address), start(*arguments(teacher, out))]
    for call in calls:
        code, _, errors = ended(call)
        assert code == 0, errors
    assert contents(out) == alone
    assert doubled(teacher, digits) == 0


def test_what_a_machine_cannot_is_told(tmp_path, teacher, start, cluster):
    """A teacher whose answers are no numbers, in a sentence and without a traceback."""
    (tmp_path / "broken.py").write_text(
        "def answer(images):\n    return images.reshape(len(images), -1)[:, :10] + float('nan')\n"
    )
    broken = f"{tmp_path / 'broken.py'}:answer"
    command = ["answers", broken, "--data", "digits", "--out", tmp_path / "answers", "--ray", cluster.address]
    code, _, errors = ended(start(*command))
    assert code == 2
    assert "is not finite" in errors
    assert "Traceback" not in errors
