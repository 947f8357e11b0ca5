"""The measurement of answers a second, at a tiny size."""

from benchmarks.results import lines
from benchmarks.speed import answers_rate
from distiller import models


def test_one_process_and_one_worker(tmp_path, monkeypatch, capsys):
    models.build("wide", 10, (8, 8, 1), widths=[4, 4], stem=4).save(tmp_path / "teacher.keras")
    for name in answers_rate._THREAD:  # which the measurement sets
        monkeypatch.setenv(name, "1")
    size = ["--workers", "1", "--shards", "3", "--shard", "50", "--batch", "25", "--rounds", "1"]
    teacher = ["--teacher", str(tmp_path / "teacher.keras")]
    assert answers_rate.main([*teacher, *size, "--results", str(tmp_path)]) == 0
    alone, worker = lines.read(tmp_path / answers_rate.NAME)
    assert [line["workers"] for line in (alone, worker)] == [0, 1]
    assert {line["images"] for line in (alone, worker)} == {150}
    # 10 logits of 2 bytes each, in three shards with their headers and digests.
    assert alone["bytes"] == worker["bytes"] > 150 * 20
    assert all(line["seconds"] > 150 / line["images_a_second"] > 0 for line in (alone, worker))
    assert "1 worker of Ray:" in capsys.readouterr().out
