"""Recipes: those in the package, changes to them, and what they refuse."""

import keras
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


PHOTOS = """
kind: run
summary: a teacher in a file, and photos
data: {{name: {photos}}}
teacher: {{file: {teacher}}}
student: {{name: resnet8}}
training: {{epochs: 1}}
arms: {{distilled: {{objectives: {{soft: {{name: hinton}}}}}}}}
"""


@pytest.fixture
def of_photos(tmp_path):
    """Reads a recipe of a folder of photos whose teacher takes images of a size."""

    def read(size, *changes):
        inputs = keras.Input((*size, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        keras.Model(inputs, keras.layers.Dense(3)(pooled)).save(tmp_path / "teacher.keras")
        (tmp_path / "photos").mkdir(exist_ok=True)
        text = PHOTOS.format(photos=tmp_path / "photos", teacher=tmp_path / "teacher.keras")
        (tmp_path / "mine.yaml").write_text(text)
        return recipes.read_run(tmp_path / "mine.yaml", changes)

    return read


class TestSizeOfPhotos:
    """Photos are read in the size that the teacher takes."""

    def test_is_that_of_the_teachers_file(self, of_photos):
        assert of_photos((20, 12)).data.image_size == (20, 12)
        assert of_photos((20, 12), "data.image_size=[20, 12]").data.image_size == (20, 12)

    def test_is_that_of_the_teachers_photos(self, of_photos, tmp_path):
        data = f"{{name: {tmp_path / 'photos'}, image_size: 48}}"
        parts = f"kind: train, summary: photos, model: {{name: wide}}, training: {{epochs: 1}}, data: {data}"
        assert of_photos((20, 12), f"teacher={{train: {{{parts}}}}}").data.image_size == (48, 48)

    def test_is_free_where_the_teacher_leaves_it_open(self, of_photos):
        assert of_photos((None, None)).data.image_size == (32, 32)
        assert of_photos((None, None), "data.image_size=[20, 12]").data.image_size == (20, 12)

    def test_another_is_told_before_they_are_read(self, of_photos):
        told = r"data.image_size: expected \[20, 12\], the size that the teacher takes. Received: \[64, 64\]"
        with pytest.raises(InputError, match=told):
            of_photos((20, 12), "data.image_size=64")

    def test_is_the_images_own_where_they_are_no_folder(self, of_photos):
        assert of_photos((20, 12), "data.name=digits", "data.image_size=64").data.image_size == (64, 64)

    def test_is_told_of_no_file_that_is_missing(self, of_photos):
        assert of_photos((20, 12), "teacher.file=none.keras").data.image_size == (32, 32)
