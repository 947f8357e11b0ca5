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
        ("teacher.load=null", "exactly one of load, file, function, outputs and train"),
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


def bomb(levels, wide=10, leaf="lol"):
    """Aliases of aliases: a few hundred bytes that stand for wide ** levels values."""
    lines = [f"a0: &a0 [{', '.join([leaf] * wide)}]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * wide)}]" for i in range(1, levels)]
    return "\n".join(lines)


MERGED = "\n".join(
    ["a0: &a0 {k: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 12))]
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (bomb(9), "more than 200,000 values, with what aliases stand for (line 6, column "),
        (bomb(30, wide=2), "more than 200,000 values, with what aliases stand for (line 16, column "),
        (MERGED, "more than 200,000 values, with what aliases stand for (line 6, column "),
        (bomb(5, leaf="x" * 1000), "more than 200,000 values, with what aliases stand for (line 5, column "),
        ("a: [" + "1, " * 300_000 + "]", "more than 200,000 values"),
        ("kind: run\na: &a [1, *a]", "an alias of what it is in itself (line 2, column 11)"),
        ("a: &a {b: {c: *a}}", "an alias of what it is in itself (line 1, column 15)"),
        ("kind: run\na: " + "[" * 20_000, "values nested more than 50 deep (line 2, column 53)"),
        ("a: " + "{a: " * 20_000, "values nested more than 50 deep (line 1, column "),
        ("- " * 5000 + "1", "values nested more than 50 deep (line 1, column "),
        ("a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60)), "50 deep (line 49, column "),
        ("kind: run\nseed: " + "9" * 5000, "what is no int: Exceeds the limit (4300 digits)"),
        ("kind: run\nseed: !!int soup", "what is no int: invalid literal for int() with base 10: 'soup' (line 2, col"),
        ("kind: run\nseed: !!int ''", "(line 2, column 7)"),
        ("kind: run\nseed: !!bool soup", "(line 2, column 7)"),
        ("kind: run\nseed: !!float soup", "(line 2, column 7)"),
        ("kind: run\nwhen: !!timestamp soup", "(line 2, column 7)"),
        ("kind: run\nbytes: !!binary aGk=", "(line 2, column 8)"),
        ("kind: run\nset: !!set {a, b}", "(line 2, column 6)"),
        ("kind: run\nmine: !thing 3", "(line 2, column 7)"),
        ("kind: run\n? [1, 2]\n: 3", "a key that is no plain value (line 2, column 3)"),
        ("kind: run\nname: a\0b", "the character '\\x00' (line 2, column 8)"),
        ("kind: run\n\x1b[31m: 1", "the character '\\x1b' (line 2, column 1)"),
        ("kind: run\nname: *nowhere", "(line 2, column 7)"),
        ("kind: run\n--- \nkind: run", "(line 2, column 1)"),
        ("kind: run\n\tname: a", "(line 2, column 1)"),
        ("kind: run\n<<: 3", "(line 2, column 5)"),
        ("kind: run\n%x", "line 2"),
    ],
    ids=lambda text: text[:20] if "column" not in text else "",
)
def test_what_is_no_recipe_for_another_reason_ends_with_its_place(tmp_path, command, text, place):
    """The file, the line, exit code 2; at once, and in a line that can be read."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    code, _, errors = command("run", path, "--out", tmp_path / "out")
    assert code == 2
    assert errors.startswith(f"distiller: Recipe {str(path)!r} is not YAML: ")
    assert place in errors
    assert len(errors.splitlines()) == 1
    assert len(errors) < 500


def test_a_recipe_in_another_encoding_ends_with_its_line(tmp_path, command):
    path = tmp_path / "mine.yaml"
    path.write_bytes("kind: run\nsummary: Äpfel".encode("latin-1"))
    code, _, errors = command("run", path, "--out", tmp_path / "out")
    assert code == 2
    assert f"{str(path)!r} cannot be read: expected text in UTF-8, and line 2 is none" in errors


@pytest.mark.parametrize("text", [bomb(4), f"kind: run\nsummary: {'a' * 10**6}", "kind: &k [1, 2]\nname: *k", "3"])
def test_what_is_received_is_shown_in_short(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        recipes.read(path)
    assert len(str(error.value)) < 3000


def test_many_mistakes_are_counted(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(recipes.text("demo") + "".join(f"k{i}: {i}\n" for i in range(1000)))
    with pytest.raises(InputError, match=r"and 980 more$") as error:
        recipes.read(path)
    assert len(str(error.value)) < 10_000


def test_dates_are_text(tmp_path):
    """As in JSON; one that is no day of any calendar too."""
    changes = ["summary=2024-06-04", "student.options={width: 2024-13-45}"]
    recipe = recipes.read_run("demo", changes)
    assert recipe.summary == "2024-06-04"
    assert recipe.student.options == {"width": "2024-13-45"}


def test_an_arms_name_fits_into_the_names_of_files():
    with pytest.raises(InputError, match=r"arms: expected a name of 120 letters at most.*Received: 300 letters, 'aaa"):
        recipes.read("demo", [f"arms={{{'a' * 300}: {{}}}}"])
    assert recipes.read_run("demo", [f"arms={{{'a' * 120}: {{}}}}"]).arms.keys() == {"a" * 120}


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

    def test_another_is_the_students_alone(self, of_photos):
        recipe = of_photos((20, 12), "data.image_size=64")
        assert (recipe.data.image_size, recipe.teacher.image_size) == ((64, 64), (20, 12))
        assert of_photos((20, 12), "data.image_size=64", "teacher.image_size=48").teacher.image_size == (48, 48)

    def test_is_the_images_own_where_they_are_no_folder(self, of_photos):
        assert of_photos((20, 12), "data.name=digits", "data.image_size=64").data.image_size == (64, 64)

    def test_is_told_of_no_file_that_is_missing(self, of_photos):
        assert of_photos((20, 12), "teacher.file=none.keras").data.image_size == (32, 32)
