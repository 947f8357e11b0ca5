"""Photos are decoded and read beside a student's step, and the speeds recorded in rounds."""

from benchmarks.results import lines
from benchmarks.speed import photo_pipeline


def test_a_small_run_records_the_speed_of_every_way(tmp_path, capsys):
    out = tmp_path / "speed.jsonl"
    asked = ["--rounds", "2", "--sizes", "32", "--photos", "48", "--batch", "8", "--out", str(out)]
    assert photo_pipeline.main(asked) == 0
    (line,) = lines.read(out)
    assert line["image"] == [32, 32, 3]
    assert tuple(line["images_a_second"]) == photo_pipeline.WAYS
    assert all(len(found) == 2 and min(found) > 0 for found in line["images_a_second"].values())
    assert "32×32, batch 8, medians of 2 rounds" in capsys.readouterr().out


def test_the_ratio_in_words_is_of_the_rounds():
    speeds = {name: [10.0, 20.0, 30.0] for name in photo_pipeline.WAYS} | {"mapped": [40.0, 100.0, 60.0]}
    line = {"image": [96, 96, 3], "batch": 32, "student": "resnet8", "images_a_second": speeds}
    said = photo_pipeline.sentence(line)
    assert "a step of resnet8 20" in said
    assert "mapped file 60, 4.0 times" in said
