"""Hundreds of damaged files: each gives a result or one clear error in its time, and none takes a command down."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tflite import ModelError
from tflite.isolation import Limits, Worker

COUNT = 600
SECONDS = 1.0  # that one file may take


def truncated(content: bytearray, chance: random.Random, _: bytes) -> bytes:
    return bytes(content[: chance.randrange(len(content))])


def flipped(content: bytearray, chance: random.Random, _: bytes) -> bytes:
    """A few bits anywhere."""
    for _flip in range(chance.choice([1, 4, 16, 64])):
        content[chance.randrange(8, len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def structure(content: bytearray, chance: random.Random, _: bytes) -> bytes:
    """A few bytes among the tables, which are at both ends: shapes, offsets, indices, options."""
    for _change in range(chance.choice([1, 2, 8])):
        place = chance.choice([chance.randrange(8, 400), chance.randrange(len(content) - 4000, len(content))])
        content[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
    return bytes(content)


def spliced(content: bytearray, chance: random.Random, other: bytes) -> bytes:
    """A piece of another file."""
    start = chance.randrange(8, min(len(content), len(other)) - 1)
    piece = other[start : start + chance.randrange(1, 3000)]
    content[start : start + len(piece)] = piece
    return bytes(content)


def moved(content: bytearray, chance: random.Random, _: bytes) -> bytes:
    """A piece left out, so that what follows is not where it is looked for."""
    start = chance.randrange(8, len(content))
    return bytes(content[:start] + content[start + chance.randrange(1, 64) :])


MUTATIONS = (truncated, flipped, structure, spliced, moved)


@pytest.fixture(scope="module")
def damaged(files):
    """The content of each damaged file; always the same of the same files."""
    chance = random.Random(0)
    originals = [conversion.path.read_bytes() for conversion in files.values()]
    return [
        MUTATIONS[i % len(MUTATIONS)](bytearray(chance.choice(originals)), chance, chance.choice(originals))
        for i in range(COUNT)
    ]


JOBS = (
    ("check", {"use": "open"}),
    ("check", {"use": "run"}),
    ("check", {"use": "inspect"}),
    ("prepare", {"inputs": None, "seed": 0, "threads": 1, "delegate": "xnnpack"}),
)


def outcome(worker: Worker, path: Path, number: int) -> str:
    """What one of the jobs says of a file: nothing, or its error."""
    job, options = JOBS[number % len(JOBS)]
    try:
        worker.call(job, path=path, **options)
    except ModelError as error:
        return str(error)
    return ""


def test_every_file_ends_in_its_time_with_a_result_or_one_clear_error(damaged, tmp_path):
    """One child works on files until one of them kills it."""
    path, worker, said = tmp_path / "damaged.tflite", None, []
    try:
        for i, content in enumerate(damaged):
            path.write_bytes(content)
            worker = worker or Worker(path, limits=Limits(SECONDS, 2**30))
            started = time.monotonic()
            said.append(outcome(worker, path, i))
            assert time.monotonic() - started < SECONDS + 5.0
            if worker._process.poll() is not None:
                worker = worker.close()
    finally:
        if worker is not None:
            worker.close()
    errors = [one for one in said if one]
    assert all(str(path) in one and "Traceback" not in one and "\n" not in one.strip() for one in errors)
    # The mutations are neither harmless nor all alike: a check that accepts or refuses everything is none.
    assert COUNT / 10 < len(errors) < COUNT * 9 / 10


@pytest.mark.parametrize("command", ["inspect", "benchmark"])
def test_commands(damaged, files, tmp_path, command):
    """As from a shell: exit code 2 and one message for a damaged file, 0 for a good one."""
    cases = [(damaged[0], (2,)), (damaged[2], (0, 2)), (files["int8"].path.read_bytes(), (0,))]
    options = ["--runs", "2", "--min-seconds", "0"] if command == "benchmark" else []
    for content, codes in cases:
        path = tmp_path / "file.tflite"
        path.write_bytes(content)
        run = subprocess.run(
            [sys.executable, "-c", "from distiller.cli import main; main()", command, str(path), *options],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode in codes, run.stderr
        if run.returncode:
            assert run.stderr.startswith("distiller: ")
            assert str(path) in run.stderr
            assert "Traceback" not in run.stderr
            assert run.stdout == ""
