"""The small sets of photos ask for what the command asks for, and their table says what was recorded."""

import json
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from benchmarks import small_photos
from benchmarks.documents import small_photos as small_photos_table
from benchmarks.results import lines
from distiller import models

HARD, TAUGHT = [0.60, 0.62], [0.66, 0.70]


def line(arm, seed, accuracy):
    return {
        "variant": "animals",
        "arm": arm,
        "seed": seed,
        "test_accuracy": accuracy,
        "tflite": [{"scheme": "int8", "accuracy": accuracy - 0.01}],
        "teacher": {"accuracy": 0.8 if arm == "distilled" else None},
        "data": {"train": 540},
        "budget": {"steps": 608, "batch_size": 32},
        "recipe": {"training": {"learning_rate": 0.025}},
    }


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)

    def record(hard, taught):
        made = [line("hard_labels", i, a) for i, a in enumerate(hard)]
        lines.append(tmp_path / "small_photos.jsonl", [*made, *(line("distilled", i, a) for i, a in enumerate(taught))])
        return small_photos_table.table()

    return record


def test_the_table_and_its_sentence_follow_from_the_lines(recorded):
    text = recorded(HARD, TAUGHT)
    assert (
        "| animals, 540 for training | hard labels | 608 of 32 | 0.025 | 61.00 ± 1.41 |  | 60.00 ± 1.41 |  | 2 |"
        in text
    )
    assert "| distilled | 608 of 32 | 0.025 | 68.00 ± 2.83 | +7.00 | 67.00 ± 2.83 | 80.00 | 2 |" in text
    low, high = (100 * bound for bound in stats.ttest_ind(TAUGHT, HARD, equal_var=False).confidence_interval(0.95))
    assert f"is 7.00 points above hard labels (95 % interval −{-low:.2f} to +{high:.2f}, which includes zero)." in text


def test_one_seed_that_is_behind(recorded):
    assert "is 2.00 points below hard labels (one seed, so that it may be chance)." in recorded([0.62], [0.60])


def test_a_set_is_asked_for_as_the_command_does(command, tmp_path, monkeypatch):
    """Of 20 photos for training, of which 18 stay; all but the files that are made."""
    for part, count in (("train", 10), ("test", 2)):
        for name in ("cat", "dog"):
            (folder := tmp_path / "photos" / part / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(np.full((32, 32, 3), 9 * i, "uint8")).save(folder / f"{i}.jpg")
    models.build("wide", 2, (32, 32, 3), widths=(4,), stem=4).save(tmp_path / "teacher.keras")
    asked = []
    monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
    call = ["distill", tmp_path / "teacher.keras", "resnet8", "--data", tmp_path / "photos", "--flip"]
    assert command(*call)[0] == 0
    own, theirs = small_photos.recipe_of(tmp_path, [0], {}), asked[0]
    others = {"name", "summary", "export", "benchmark"}
    assert own.model_dump(exclude=others) == theirs.model_dump(exclude=others)
    assert (own.training.epochs, own.training.batch_size, own.export.teacher) == (600, 16, theirs.export.teacher)


def test_a_recorded_set_is_known_wherever_its_runs_lie(tmp_path):
    """The lines name files in the usual folder, and so does the recipe that is looked up among them."""
    recorded = lines.read(lines.RESULTS / "small_photos.jsonl")
    line = next(line for line in recorded if (line["variant"], line["arm"], line["seed"]) == ("mixed", "distilled", 1))
    folder = tmp_path / "mixed"
    for place in range(800):
        photo = folder / "photos" / "train" / "bird" / f"{place}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.touch()
    here = small_photos.recipe_of(folder, [0, 1, 2], {})
    asked = lines.elsewhere(here, tmp_path, small_photos.WORK)
    assert (asked.data.name, asked.teacher.file) == (
        "runs/small_photos/mixed/photos",
        "runs/small_photos/mixed/teacher.keras",
    )
    assert lines.key(asked, "distilled", 1) == lines.key_of(line) != lines.key(here, "distilled", 1)


@pytest.mark.parametrize("path", sorted(lines.RESULTS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_lines_name_no_place_of_one_machine(path):
    def texts(part):
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, list):
            for each in part:
                yield from texts(each)
        elif isinstance(part, str):
            yield part

    for line in path.read_text().splitlines():
        found = list(texts(json.loads(line)))
        assert not [text for text in found if Path(text).is_absolute() or PureWindowsPath(text).drive], path.name
