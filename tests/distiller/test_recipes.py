"""Recipes: those in the package, changes to them, and what they refuse."""

import pytest

from distiller import recipes
from distiller.errors import InputError


@pytest.mark.parametrize("name", recipes.names())
def test_packaged_recipes_are_valid_and_say_what_they_do(name):
    recipe = recipes.read(name)
    assert recipe.summary
    assert recipe.name == name


@pytest.mark.parametrize("name", recipes.names())
def test_no_packaged_recipe_smooths_the_labels_of_a_teacher(name):
    """Mueller et al. 2019: such a teacher teaches less."""
    recipe = recipes.read(name)
    source = recipe if isinstance(recipe, recipes.TrainRecipe) else recipe.teacher.train
    assert source is None or source.training.label_smoothing == 0


def test_changes_are_read_as_yaml():
    recipe = recipes.read_run("demo", ["training.epochs=3", "seeds=[4, 5]", "student.options={width: 4}"])
    assert recipe.training.epochs == 3
    assert recipe.seeds == [4, 5]
    assert recipe.student.options == {"width": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epoch=3", "training.epoch: Unknown key 'epoch'. Did you mean 'epochs'"),
        ("training.epochs=0", "training.epochs: input should be greater than or equal to 1. Received: 0"),
        ("bridge.training.cop=1", "Unknown key 'cop'. Did you mean 'crop'"),
        ("arms.distilled.weigts={}", "Unknown key 'weigts'. Did you mean 'weights'"),
        ("bridge.name=foo", "Known: auxiliary_head, class_map, ensemble, fine_tune"),
        ("teacher.load=null", "exactly one of load, file and train"),
        ("labels.per_class=3", "one of fraction and per_class"),
        ("seeds=[1, 1]", "no seed twice"),
        ("seeds=[-1]", "seeds.0: input should be greater than or equal to 0. Received: -1"),
        ("arms={../other: {}}", "expected a name of letters"),
        ("arms={bridge-probe: {}}", "stages of a run. Received: 'bridge-probe'"),
        ("training.epochs", "place=value"),
        ("training.epochs.more=1", "'epochs' is not a section"),
        ("training={", "not YAML"),
        ("training={epochs: 3, crop: 1, epochs: 4}", "found the key 'epochs' twice"),
        ("kind=x", "expected kind 'run' or 'train'. Received: 'x'"),
    ],
)
def test_what_a_recipe_cannot_say_is_named(change, message):
    with pytest.raises(InputError) as error:
        recipes.read("cifar100_to_cifar10", [change])
    assert message in str(error.value)


def test_missing_keys_are_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("kind: train\nsummary: mine\ndata: {name: digits}\n")
    with pytest.raises(InputError, match="model is missing; training is missing"):
        recipes.read(path)


ANCHORED = """
kind: run
summary: sections that are written once
data: {name: digits}
teacher: {load: wide_cifar100}
bridge: {name: auxiliary_head}
student: {name: resnet8}
training: {epochs: 2}
arms:
  half: &half
    objectives: {soft: {name: hinton}}
    weights: &weights {labels: 0.5, soft: 0.5}
  same: *half
  more: {<<: *half, weights: {labels: 0.1, soft: 0.9}}
  other: {<<: *half}
"""


def test_a_change_stays_where_it_is_made(tmp_path):
    path = tmp_path / "anchored.yaml"
    path.write_text(ANCHORED)
    changes = ["arms.half.weights.soft=0.7", "arms.other.objectives.soft.temperature=2"]
    arms = recipes.read_run(path, changes).arms
    assert {name: arm.weights["soft"] for name, arm in arms.items()} == {
        "half": 0.7,
        "same": 0.5,
        "more": 0.9,
        "other": 0.5,
    }
    assert [name for name, arm in arms.items() if "temperature" in arm.objectives["soft"]] == ["other"]


def test_a_key_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(ANCHORED + "  half: {objectives: {}}\n")
    with pytest.raises(InputError, match=r"(?s)found the key 'half' twice.*line 16"):
        recipes.read_run(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a\n- b\n", "mapping"), ("a: [1", "not YAML"), ("!!python/object:os.system {}", "not YAML")],
)
def test_files_that_are_no_recipe_are_refused(tmp_path, content, message):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        recipes.read(path)


def test_unknown_names_have_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'cifar100_to_cifar10'"):
        recipes.read("cifar100_cifar10")
    with pytest.raises(InputError, match="does not exist"):
        recipes.read("none.yaml")


def test_a_command_takes_its_own_kind_of_recipe():
    with pytest.raises(InputError, match=r"expected kind 'run'. Received: 'train'"):
        recipes.read_run("teacher_cifar100")
