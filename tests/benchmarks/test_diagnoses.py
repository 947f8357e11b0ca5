"""The fine-tuned teachers of a run are diagnosed on its validation split, each with the arms that it taught."""

import keras
import numpy as np
import pytest

from benchmarks import diagnoses, experiments, run
from benchmarks.results import lines
from distiller import data

VARIANT = "5 labels a class"
TAUGHT = "objectives: {soft: {name: hinton}}, weights: {labels: 0.1, soft: 0.9}"
SMOOTHED = "{name: fine_tune, training: {epochs: 1, label_smoothing: 0.1}}"
CHANGES = [
    "bridge={name: fine_tune, training: {epochs: 1}}",
    f"arms.smoothed={{bridge: {SMOOTHED}, {TAUGHT}}}",
]
# What the two teachers say of every image: of five classes the first and the second, each with this probability.
SURE = {"bridge-fine_tune-0": (0, 0.9), "bridge-fine_tune-2-0": (1, 0.6)}


@pytest.fixture
def arguments(monkeypatch, tmp_path):
    """The demo's experiment with a plain and a smoothed teacher, and the command's arguments for it."""
    demo = experiments.read("demo")
    arms = {VARIANT: ["hard_labels", "distilled", "smoothed"]}
    monkeypatch.setattr(experiments, "read", lambda _: demo.model_copy(update={"changes": CHANGES, "arms": arms}))
    return ["demo", "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]


def same_answer(folder, label, probability):
    """A teacher that says the same of every image."""
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])
    others = (1 - probability) / 4
    bias = np.log([probability if one == label else others for one in range(5)])
    network.layers[-1].set_weights([np.zeros((64, 5)), bias])
    folder.mkdir(parents=True)
    network.save(folder / "network.keras")


def test_a_line_a_teacher_with_its_arms(arguments, tmp_path, monkeypatch):
    for stage, answer in SURE.items():
        same_answer(run.run_folder(tmp_path / "work", "demo", VARIANT) / "stages" / stage, *answer)
    assert diagnoses.main(arguments) == 0
    found = lines.read(tmp_path / "results" / "demo_diagnoses.jsonl")
    assert [line["arms"] for line in found] == [["distilled"], ["smoothed"]]
    assert [line["bridge"]["training"]["label_smoothing"] for line in found] == [0.0, 0.1]
    labels = data.load("digits", validation=0.1).only(["3", "5", "6", "8", "9"]).validation.labels
    for line, (label, probability) in zip(found, SURE.values(), strict=True):
        said = line["diagnosis"]
        right = np.mean(labels == label)
        assert said["accuracy"] == pytest.approx(right)
        # One bin holds every answer: the error of calibration is the distance of its confidence from its accuracy.
        assert said["calibration"]["error"] == pytest.approx(abs(probability - right), abs=1e-6)
        # An answer that does not depend on the image tells nothing of it.
        assert said["mutual_information"]["nats"] == pytest.approx(0, abs=1e-6)

    monkeypatch.setattr(lines, "RESULTS", tmp_path / "results")
    once = diagnoses.table("demo_diagnoses")
    assert diagnoses.main(arguments) == 0
    assert diagnoses.table("demo_diagnoses") == once  # a teacher that was diagnosed again has one row


def test_a_missing_run_is_one_message(arguments, tmp_path, capsys):
    assert diagnoses.main(arguments) == 2
    folder = run.run_folder(tmp_path / "work", "demo", VARIANT)
    assert f"Expected a finished run in {str(folder)!r}" in capsys.readouterr().err
