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


@pytest.fixture
def asked_of(command, monkeypatch):
    """Runs `distiller distill wide_cifar100 …`; returns the exit code, the recipe and the errors."""

    def call(*arguments):
        asked = [None]
        monkeypatch.setattr("distiller.cli.images.after_names", lambda *_: data.load("digits"))
        monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
        code, _, errors = command("distill", "wide_cifar100", *arguments)
        return code, asked[-1], errors

    return call


def test_images_and_student_in_either_form(asked_of):
    new = asked_of("digits", "--student", "keras:MobileNetV3Small", "--option", "minimalistic=true")
    old = asked_of("keras:MobileNetV3Small", "--data", "digits", "--option", "minimalistic=true")
    for code, recipe, _ in (new, old):
        assert code == 0
        assert (recipe.data.name, recipe.student.name) == ("digits", "keras:MobileNetV3Small")
        assert recipe.student.options == {"minimalistic": True}
    code, _, errors = asked_of("digits")
    assert code == 2
    assert "Expected a student beside the images 'digits': --student resnet8" in errors
    code, _, errors = asked_of("digits", "--student", "resnet8", "--data", "digits")
    assert code == 2
    assert "Expected DATA or --data" in errors


def test_schemes_seeds_optimizer_and_precision(asked_of):
    options = ["--scheme", "int8", "--scheme", "float16", "--seed", "3", "--seed", "5", "--optimizer", "adamw"]
    code, recipe, _ = asked_of("digits", "--student", "resnet8", *options, "--precision", "mixed_bfloat16")
    assert code == 0
    assert recipe.export.schemes == ["int8", "float16"]
    assert recipe.seeds == [3, 5]
    plan = recipe.training
    # 1,438 digits of which a tenth is held out: batches of 64, and 0.001 · 64 / 128
    assert (plan.optimizer, plan.learning_rate, plan.weight_decay) == ("adamw", 0.0005, 0.05)
    assert plan.precision == "mixed_bfloat16"


def test_a_quantization_aware_student_follows_the_distilled_one(asked_of):
    options = ["--quantization-aware", "--epochs", "30", "--learning-rate", "0.1"]
    code, recipe, _ = asked_of("digits", "--student", "resnet8", *options)
    assert code == 0
    arm = recipe.arms["quantization_aware"]
    assert (arm.start, arm.quantize.scheme) == ("distilled", "int8")
    assert arm.training == {"epochs": 5, "learning_rate": pytest.approx(0.01)}
    assert asked_of("digits", "--student", "resnet8")[1].arms.keys() == {"hard_labels", "distilled"}
    code, _, errors = asked_of("digits", "--student", "resnet8", "--quantization-aware", "--scheme", "float16")
    assert code == 2
    assert "Expected --scheme int8 with --quantization-aware. Received: float16" in errors


def test_a_layer_of_each_network(asked_of):
    code, recipe, _ = asked_of("digits", "--student", "resnet8", "--objective", "hint:features:stage3")
    assert code == 0
    (objective,) = recipe.arms["distilled"].objectives.values()
    assert (objective["teacher_layer"], objective["student_layer"]) == ("features", "stage3")
    for wrong in ("hint:a:", "hint::b", "hint:a:b:c"):
        code, _, errors = asked_of("digits", "--student", "resnet8", "--objective", wrong)
        assert code == 2, wrong
        assert "LAYER" in errors


@pytest.mark.parametrize("option", ["width", "width=", "=4"])
def test_options_are_pairs(asked_of, option):
    code, _, errors = asked_of("digits", "--student", "resnet8", "--option", option)
    assert code == 2
    assert "Expected --option KEY=VALUE" in errors
