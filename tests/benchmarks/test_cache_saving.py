"""What stored answers save is measured in runs that differ in nothing else."""

from benchmarks import cache_saving, lines

TINY = ["data={name: digits, classes: ['1', '2', '3']}", "training.steps_per_epoch=2", "labels={per_class: 2}"]
NETWORK = "{name: wide, options: {widths: [4], stem: 4}}"
PLAN = "{epochs: 1, steps_per_epoch: 1}"
TRAINED = f"{{kind: train, summary: t, data: {{name: digits}}, model: {NETWORK}, training: {PLAN}}}"
SIZE = ["student.options={width: 4}", "training.batch_size=8", "training.crop=1", f"teacher={{train: {TRAINED}}}"]


def test_a_line_a_run_and_both_figures(tmp_path, capsys):
    changes = [part for change in (*TINY, *SIZE) for part in ("--set", change)]
    arguments = ["--rounds", "1", "--epochs", "1", "--seeds", "2", "--results", str(tmp_path), *changes]
    assert cache_saving.main(arguments) == 0
    live, stored = lines.read(tmp_path / cache_saving.NAME)
    assert (live["kind"], stored["kind"]) == ("live", "stored")
    assert live["recipe"] | {"cache": None} == stored["recipe"] | {"cache": None}
    assert (live["recipe"]["cache"], stored["recipe"]["seeds"]) == (None, [0, 1])
    assert f"{live['seconds']:.0f} s with a live teacher" in capsys.readouterr().out


def test_figures_are_medians_of_the_last_run():
    made = {"recipe": {"seeds": [0, 1, 2], "training": {"epochs": 4}}, "machine": {"processor": "P", "cores": 2}}
    times = {"live": (90.0, 100.0, 300.0), "stored": (40.0, 50.0, 60.0)}
    found = [{"kind": kind, "seconds": s, "run": "b", **made} for kind, all in times.items() for s in all]
    earlier = {"kind": "live", "seconds": 1.0, "run": "a", **made}
    assert "100 s with a live teacher, 50 s with stored answers, 0.50 times" in cache_saving.sentence([earlier, *found])


def test_a_recipe_that_cannot_be_is_one_message(capsys):
    assert cache_saving.main(["--set", "trainin.epochs=1"]) == 2
    assert "training" in capsys.readouterr().err
