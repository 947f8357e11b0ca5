"""What `distiller distill` refuses, and what its help says."""

import pytest

from distiller import data

CALL = ["distill", "wide_cifar100", "resnet8", "--data", "digits"]


@pytest.fixture
def distill(command, monkeypatch):
    """Runs the command up to its recipe; returns the exit code, the recipes and the errors."""

    def call(*arguments):
        asked = []
        monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
        code, _, errors = command(*CALL, *arguments)
        return code, asked, errors

    return call


@pytest.mark.parametrize(("name", "compares"), [("hint", "features"), ("similarity_preserving", "relations")])
def test_features_and_relations_need_a_layer(distill, name, compares):
    code, asked, errors = distill("--objective", "hinton", "--objective", name)
    assert (code, asked, errors.count("\n")) == (2, [], 1)
    assert f"{name!r} compares {compares}" in errors
    assert f"--objective {name}:LAYER" in errors
    assert distill("--objective", f"{name}:")[0] == 2
    code, asked, _ = distill("--objective", "hinton", "--objective", f"{name}:stage2")
    assert (code, len(asked)) == (0, 1)


def test_every_objective_counts(distill):
    code, _, errors = distill("--objective", "hinton", "--objective", "hinton")
    assert code == 2
    assert "every objective once. Received: 'hinton', 2 times" in errors
    code, asked, _ = distill("--objective", "hint:a/b", "--objective", "hint:a_b")
    assert code == 0
    arm = asked[0].arms["distilled"]
    found = arm.objectives
    assert {name: arguments["student_layer"] for name, arguments in found.items()} == {
        "hint_a_b": "a/b",
        "hint_a_b-2": "a_b",
    }
    assert arm.weights.keys() == {"labels", *found}


def test_a_bridge_that_is_trained_sees_the_batches_that_are_asked_for(distill):
    _, asked, _ = distill("--bridge", "fine_tune", "--batch-size", "8", "--crop", "2", "--flip")
    plan = asked[0].bridge.training
    assert (plan.batch_size, plan.crop, plan.flip) == (8, 2, True)


@pytest.mark.parametrize("teacher", ["teacher.h5", "saved/teacher.keras", "."])
def test_a_teacher_that_is_a_path_is_a_file(command, monkeypatch, teacher):
    asked = []
    monkeypatch.setattr("distiller.cli.images.after_names", lambda *_: data.load("digits"))
    monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
    assert command("distill", teacher, *CALL[2:])[0] == 0
    assert asked[0].teacher.file == teacher


def test_an_unknown_objective_has_the_nearest(distill):
    code, _, errors = distill("--objective", "hintn")
    assert code == 2
    assert "Unknown objective 'hintn'. Did you mean 'hinton', 'hint'?" in errors


@pytest.mark.parametrize("bridge", ["none", "fine_tune", "probe", "auxiliary_head", "subset"])
def test_bridges(distill, bridge):
    code, (recipe,), _ = distill("--bridge", bridge)
    assert code == 0
    assert (recipe.bridge.name if recipe.bridge else "none") == bridge


def test_other_bridges_are_refused(distill):
    code, asked, errors = distill("--bridge", "finetune")
    assert (code, asked) == (2, [])
    assert "Unknown bridge 'finetune'. Did you mean 'fine_tune'? Known: auxiliary_head, fine_tune" in errors
    for name in ("ensemble", "transport", "class_map"):
        code, asked, errors = distill("--bridge", name)
        assert (code, asked) == (2, [])
        assert "recipe" in errors


def test_the_help_says_what_the_weight_is_of(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    words = " ".join(command("distill", "--help")[1].split())
    assert "Weight of each objective; objectives of features usually need far larger ones" in words
