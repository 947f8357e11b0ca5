"""What is wrong with a recipe is said in the words of the recipe."""

import pytest

from distiller import recipes
from distiller.errors import InputError


def problem(*changes, recipe="demo"):
    with pytest.raises(InputError) as error:
        recipes.read(recipe, changes)
    message = str(error.value)
    assert ".." not in message.replace("...", "")
    assert ".;" not in message
    assert not message.endswith(".")
    return message.removeprefix(f"Recipe {recipe!r}: ")


def test_a_weight_is_of_the_labels_or_of_an_objective():
    assert problem("arms.distiled.weights.soft=1") == "arms.distiled: unknown weight 'soft'. Known: labels"
    assert (
        problem("arms.distilled.weights={sofd: 1}")
        == "arms.distilled: unknown weight 'sofd'. Did you mean 'soft'? Known: labels, soft"
    )
    assert recipes.read_run("demo", ["arms.hard_labels.weights.labels=1"]).arms["hard_labels"].weights == {"labels": 1}


def test_every_scheme_comes_once_and_one_at_least():
    assert "at least 1 item" in problem("export.schemes=[]")
    assert problem("export.schemes=[int8,int8]").endswith("expected every scheme once. Received: ['int8', 'int8']")


def test_momenta_of_dot_are_possible():
    told = "expected dot of momentum at most, and the sum of both below 1; they are 0.1 and 0.9"
    assert problem("training.dot=0.1").endswith(told)
    assert problem("arms.distilled.training.dot=0.1").endswith(f"arms.distilled.training: Value error, {told}")


def test_a_student_that_goes_on_keeps_its_precision():
    changes = ("arms.more.start=distilled", "arms.more.training.precision=mixed_bfloat16")
    assert problem(*changes).endswith(
        "arms.more.training.precision: expected that of 'distilled', with whose student it starts"
    )


def test_a_bridge_that_does_not_exist_has_the_nearest():
    message = problem("bridge.name=finetune")
    assert message.startswith("bridge.name: Unknown name 'finetune'. Did you mean 'fine_tune'? Known: auxiliary_head, ")
    message = problem("arms.distilled.bridges.soft.name=prob")
    assert message.startswith("arms.distilled.bridges.soft.name: Unknown name 'prob'. Did you mean 'probe'?")
    assert problem("arms.distilled.bridge.strength=1") == "arms.distilled.bridge.name is missing"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("epochs=3", "training.epochs"),
        ("per_class=3", "labels.per_class"),
        ("top_k=3", "cache.top_k"),
        ("width=3", "student.options.width"),
        ("student.width=3", "student.options.width"),
        ("temperature=2", "arms.distilled.objectives.soft.temperature"),
        ("teacher.epochs=3", "teacher.train.training.epochs"),
    ],
)
def test_a_key_that_exists_deeper_is_told(change, place):
    message = problem(change)
    key = change.partition("=")[0]
    assert message.startswith(f"{key}: Unknown key {key.split('.')[-1]!r}.")
    assert f" There is {place!r}" in message


def test_a_key_that_exists_nowhere_else_is_not():
    assert "There is" not in problem("bridge.training={epochs: 1}")
    assert "There is" not in problem("nonsense=1")
    assert "There is" not in problem("strength=1")  # of another bridge than the recipe's


def test_a_list_is_shown():
    assert problem("seeds=0,1") == "seeds: input should be a valid list, such as seeds=[0, 1]. Received: '0,1'"
    assert problem("seeds=3") == "seeds: input should be a valid list, such as seeds=[3]. Received: 3"
    assert problem("seeds=many").startswith("seeds: input should be a valid list, such as seeds=[0, 1]. ")
    assert "such as data.classes=['3', '5']. Received: '3,5'" in problem("data.classes=3,5")
    assert "such as export.schemes=['int8']. Received: 'int8'" in problem("export.schemes=int8")
    assert "such as data.image_size=[8, 8]. Received: '8,8'" in problem("data.image_size=8,8")


def test_a_list_that_is_shown_is_taken():
    changes = ["seeds=[3]", "data.classes=['3', '5']", "export.schemes=['int8']", "data.image_size=[8, 8]"]
    assert recipes.read_run("demo", changes).data.classes == ["3", "5"]


def test_one_number_is_a_square():
    assert recipes.read_run("demo", ["data.image_size=64"]).data.image_size == (64, 64)
    assert problem("data.image_size=0") == "data.image_size: input should be greater than or equal to 1. Received: 0"


def test_a_key_that_excludes_another():
    assert problem("labels.fraction=0.2") == (
        "labels: expected one of fraction and per_class. Received: fraction and per_class. "
        "Take the other away with labels.per_class=null"
    )
    assert problem("teacher.load=wide_cifar100").endswith(
        "expected exactly one of load, file, function, outputs and train. Received: load and train. "
        "Take the other away with teacher.train=null"
    )
    assert problem("teacher.train=null").endswith("Received: none of them")
    changes = ["bridge={name: class_map, file: a.yaml}", "bridge.known=cifar100_coarse"]
    assert problem(*changes).startswith("bridge: expected exactly one of groups, file and known. ")
    assert problem(*changes).endswith("Take the other away with bridge.file=null")


def test_both_in_one_change_have_no_hint():
    assert problem("labels={fraction: 0.2, per_class: 3}").endswith("Received: fraction and per_class")


def test_an_arm_is_not_shown_whole():
    message = problem("arms.distilled.bridges.soff={name: probe}")
    assert message == "arms.distilled: unknown objective with a bridge 'soff'. Did you mean 'soft'? Known: soft"


def test_the_tags_of_unions_are_no_places():
    message = problem("bridge.training.cop=1", recipe="cifar100_to_cifar10")
    assert message.startswith("bridge.training.cop: Unknown key 'cop'. Did you mean 'crop'")
    message = problem("arms.distilled.weights.soft={end: -1, epochs: 3}")
    assert "arms.distilled.weights.soft.end: input should be greater" in message


def test_a_section_that_is_taken_away_can_be_given_again():
    recipe = recipes.read_run("demo", ["bridge=null", "bridge.name=probe"])
    assert recipe.bridge.name == "probe"


def test_several_problems_are_told():
    message = problem("training.epoch=3", "student.nam=x", "data.name=null")
    assert message.count("; ") == 2


def test_what_would_be_ignored_is_refused():
    assert "the labels alone have the weight 1" in problem("arms.hard_labels.weights={labels: 0.1}")
    for name in ("labels", "loss"):
        message = problem(f"arms.more={{objectives: {{{name}: {{name: hinton}}}}}}")
        assert f"objectives: '{name}' is the name of another term" in message


def test_infinite_numbers_are_refused():
    for change in ("arms.distilled.weights.soft=.inf", "training.learning_rate=.inf", "training.weight_decay=.nan"):
        assert "finite number" in problem(change)


def test_a_ramp_inside_of_an_objective_has_a_place_too():
    inner = "{name: standardized, objective: {name: hinton, temperature: {end: -1, epochs: 3}}}"
    message = problem(f"arms.more={{objectives: {{soft: {inner}}}}}")
    assert "objectives.soft.objective.temperature.end" in message
