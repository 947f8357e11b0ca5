"""Students of an experiment trained by themselves, and the experiment that goes on from them."""

import argparse
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import experiments, run, train_students
from benchmarks.results import lines
from benchmarks.train_students import Variant
from distiller.runs.stages import RunStages
from distiller.runs.students import StudentTrainer


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The demo's experiment in its tiny mode, with one arm."""
    one = experiments.read("demo").model_copy(update={"arms": {"5 labels a class": ["hard_labels"]}})
    monkeypatch.setattr(experiments, "read", lambda _: one)
    train_students._stages.cache_clear()
    yield Variant("demo", "5 labels a class", True, None, tmp_path / "work")
    train_students._stages.cache_clear()


def test_an_experiment_goes_on_from_its_students(asked, tmp_path, monkeypatch, capsys):
    with ThreadPoolExecutor(1) as pool:
        assert train_students.train([asked], pool) == 0
    assert capsys.readouterr().out.count("hard_labels: trained") == 2  # two seeds
    trained = {path.name for path in (tmp_path / "work").rglob("*.keras")}
    assert trained == {"teacher.keras", "hard_labels-0.keras", "hard_labels-1.keras"}
    monkeypatch.setattr(StudentTrainer, "fit_student", lambda *_: pytest.fail("trained again"))
    where = ["--work", str(tmp_path / "work"), "--results", str(tmp_path)]
    assert run.main(["demo", "--tiny", *where]) == 0
    assert [line["seed"] for line in lines.read(tmp_path / "demo.jsonl")] == [0, 1]


def test_only_some_seeds_are_trained(asked, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        assert train_students.train([asked._replace(seeds=(5,))], pool) == 0
    assert {path.name for path in (tmp_path / "work").rglob("hard_labels*.keras")} == {"hard_labels-5.keras"}


def test_seeds_are_checked_before_the_work(capsys):
    assert train_students.main(["demo", "--tiny", "--seeds", "-1"]) == 2
    assert "seeds" in capsys.readouterr().err


def test_a_student_that_fails_is_told_and_the_others_are_trained(asked, monkeypatch, capsys):
    train_student = RunStages.train_student

    def failing(stages, name, seed):
        if seed == 0:
            raise ValueError("no luck")
        train_student(stages, name, seed)

    monkeypatch.setattr(RunStages, "train_student", failing)
    with ThreadPoolExecutor(1) as pool:
        assert train_students.train([asked], pool) == 1
    said = capsys.readouterr()
    assert "seed 0: hard_labels: ValueError('no luck')" in said.err
    assert "seed 1: hard_labels: trained" in said.out
    assert (asked.work / "demo" / "5-labels-a-class" / "hard_labels-1.keras").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmo"], "Unknown experiment 'dmo'. Did you mean 'demo'?"),
        (["demo", "--variant", "5 labels"], "Unknown variant '5 labels'. Did you mean '5 labels a class'?"),
        (["demo", "label_spaces", "--variant", "5 labels a class", "--variant", "none"], "Unknown variant 'none'."),
    ],
)
def test_what_does_not_exist_is_told(arguments, message, capsys):
    assert train_students.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(message)


def test_a_variant_is_of_one_of_the_experiments(tmp_path):
    given = argparse.Namespace(
        experiment=["demo", "label_spaces"],
        variant=["5 labels a class"],
        seeds=(),
        tiny=True,
        data_dir=None,
        work=tmp_path,
    )
    assert [asked.experiment for asked in train_students.variants_of(given)] == ["demo"]
