"""The comparison near convergence: equal budgets, and first students where others look for them."""

from pathlib import Path

import pytest

from benchmarks import converged, experiments
from benchmarks.run import run_folder

VARIANTS = list(experiments.read(converged.NAME).variants)


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_students_are_trained_before_and_found(variant, tmp_path, monkeypatch):
    calls = []

    def train(recipe, out, results, *, experiment, variant, **_):
        calls.append((experiment, recipe, out))
        return []

    monkeypatch.setattr(converged, "train_missing", train)
    arguments = ["--variant", variant, "--work", str(tmp_path), "--results", str(tmp_path / "results")]
    assert converged.main(arguments) == 0
    assert [experiment for experiment, *_ in calls] == [converged.FIRST, converged.NAME]
    (_, first, folder), (_, recipe, _) = calls
    assert (first.data.name, first.bridge, recipe.data.name) == ("cifar100", None, "cifar10")
    assert first.student == recipe.student
    files = {Path(arm.warm_start.file) for arm in recipe.arms.values() if arm.warm_start}
    assert files == files & {folder / f"{arm}-{seed}.keras" for arm in first.arms for seed in first.seeds} != set()
    assert folder == run_folder(tmp_path, converged.FIRST, variant.split(",")[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_arms_have_equal_steps_but_the_one_of_equal_time(variant):
    recipe = experiments.read(converged.NAME).recipe_of(variant, tiny=False)
    plans = {name: recipe.plan(name) for name in recipe.arms if name != "hard_labels longer"}
    assert {(plan.epochs, plan.batch_size, plan.crop, plan.flip) for plan in plans.values()} == {(60, 128, 4, True)}
    assert recipe.seeds == [0, 1, 2]
    assert {"hard_labels", "hard_labels mixup", "distilled"} <= recipe.arms.keys()


def test_controls_differ_from_what_they_control_in_one_thing():
    arms = experiments.read(converged.NAME).recipe_of(VARIANTS[1], tiny=False).arms
    distilled = arms["distilled"].model_dump()
    changed = {
        name: {key for key, value in arms[name].model_dump().items() if value != distilled[key]}
        for name in ("labelled images alone", "warm start")
    }
    assert changed == {"labelled images alone": {"unlabelled"}, "warm start": {"warm_start"}}
    alone = arms["hard_labels"].model_dump()
    for name, key in (("pseudo_labels", "pseudo_labels"), ("cifar100 first", "warm_start")):
        assert {k for k, value in arms[name].model_dump().items() if value != alone[k]} == {key}
