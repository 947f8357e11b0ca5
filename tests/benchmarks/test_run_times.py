"""What stored answers and several processes save is measured in runs that differ in nothing else."""

import pytest

from benchmarks.results import lines
from benchmarks.speed import cache_saving, side_by_side_saving

TINY = ["data={name: digits, classes: ['1', '2', '3']}", "training.steps_per_epoch=2", "labels={per_class: 2}"]
NETWORK = "{name: wide, options: {widths: [4], stem: 4}}"
PLAN = "{epochs: 1, steps_per_epoch: 1}"
TRAINED = f"{{kind: train, summary: t, data: {{name: digits}}, model: {NETWORK}, training: {PLAN}}}"
SIZE = ["student.options={width: 4}", "training.batch_size=8", "training.crop=1", f"teacher={{train: {TRAINED}}}"]


def run(command, folder):
    changes = [part for change in (*TINY, *SIZE) for part in ("--set", change)]
    arguments = ["--rounds", "1", "--epochs", "1", "--seeds", "2", "--results", str(folder), *changes]
    assert command.main(arguments) == 0
    return lines.read(folder / command.NAME)


def test_a_live_teacher_and_stored_answers(tmp_path, capsys):
    live, stored = run(cache_saving, tmp_path)
    assert (live["kind"], stored["kind"]) == ("live", "stored")
    assert live["recipe"] | {"cache": None} == stored["recipe"] | {"cache": None}
    assert (live["recipe"]["cache"], stored["recipe"]["seeds"]) == (None, [0, 1])
    assert f"{live['seconds']:.0f} s with a live teacher" in capsys.readouterr().out


def test_one_process_and_two(tmp_path, capsys):
    alone, beside = run(side_by_side_saving, tmp_path)
    assert [line["processes"] for line in (alone, beside)] == [1, 2]
    assert alone["recipe"] == beside["recipe"]
    assert f"{alone['seconds']:.0f} s one after another" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "kinds", "said"),
    [
        (cache_saving, ("live", "stored"), "100 s with a live teacher, 50 s with stored answers, 0.50 times"),
        (
            side_by_side_saving,
            ("one at a time", "side by side"),
            "100 s one after another, 50 s 2 at a time, 0.50 times",
        ),
    ],
)
def test_figures_are_medians_of_the_last_run(command, kinds, said, tmp_path, monkeypatch):
    recipe = {"seeds": [0, 1, 2], "training": {"epochs": 4}}
    made = {"recipe": recipe, "machine": {"processor": "P", "cores": 2}, "processes": 2}
    times = dict(zip(kinds, ((90.0, 100.0, 300.0), (40.0, 50.0, 60.0)), strict=True))
    found = [{"kind": kind, "seconds": s, "run": "b", **made} for kind, all in times.items() for s in all]
    earlier = {"kind": kinds[0], "seconds": 1.0, "run": "a", **made}
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    lines.append(tmp_path / command.NAME, [earlier, *found])
    assert said in command.table()


def test_a_recipe_that_cannot_be_is_one_message(capsys):
    assert cache_saving.main(["--set", "trainin.epochs=1"]) == 2
    assert "training" in capsys.readouterr().err
