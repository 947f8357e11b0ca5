"""A training streams its images from a file, and its memory is measured on the way."""

import pytest

from benchmarks.results import lines
from benchmarks.speed import streaming_memory


def test_a_small_run_records_its_memory(tmp_path, capsys):
    out = tmp_path / "memory.jsonl"
    assert streaming_memory.main(["--times", "0", "--size", "8", "--points", "2", "--out", str(out)]) == 0
    (line,) = lines.read(out)
    assert line["images"] == 2 * 32
    assert line["data_bytes"] == 64 * 8 * 8 * 3
    # TensorFlow alone takes more than 100 MB.
    assert all(1e8 < own < line["memory_bytes"] for own in line["own_bytes"])
    assert len(line["own_bytes"]) == 2
    assert "64 of 8×8" in capsys.readouterr().out


def test_memory_of_its_own_is_what_is_not_mapped():
    before = streaming_memory.own_bytes()
    held = bytearray(b"x" * 50_000_000)
    assert streaming_memory.own_bytes() - before == pytest.approx(len(held), rel=0.2)
