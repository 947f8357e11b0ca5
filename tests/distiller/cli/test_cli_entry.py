"""`distiller` by itself."""

import pytest

from distiller import __version__


@pytest.mark.parametrize("others", [[], ["run", "demo"], ["--debug"]])
def test_the_version_is_told_and_nothing_is_done(command, others):
    assert command("--version", *others) == (0, f"distiller {__version__}\n", "")


def test_options_alone_are_no_command(command):
    code, _, errors = command("--debug")
    assert code == 2
    assert "Missing command" in errors


@pytest.fixture
def broken(monkeypatch):
    """A command that fails with an error of nobody's input."""

    def fail(*_, **__):
        raise KeyError("stage3")

    monkeypatch.setattr("distiller.recipes.read_run", fail)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("call", [["--debug", "run", "demo"], ["run", "demo", "--debug"], ["run", "--debug", "demo"]])
def test_debug_may_stand_before_the_command_and_after_it(command, call):
    code, _, errors = command(*call)
    assert code == 1
    assert "Traceback" in errors
    assert errors.endswith("distiller: KeyError: 'stage3'\n")


@pytest.mark.usefixtures("broken")
def test_an_error_that_is_not_the_inputs_says_how_to_see_where(command):
    assert command("run", "demo") == (
        1,
        "",
        "distiller: KeyError: 'stage3'. `distiller --debug run …` shows where\n",
    )


def test_an_error_of_the_input_does_not(command):
    code, _, errors = command("run", "dmo")
    assert code == 2
    assert "--debug" not in errors


def test_what_stands_after_two_dashes_is_no_option(command):
    code, _, errors = command("run", "--", "--debug")
    assert code == 2
    assert "Unknown recipe '--debug'" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("called", "recipe", "right"), [("run", "teacher_cifar100", "train"), ("train", "demo", "run")]
)
def test_a_recipe_of_another_command_names_it(command, called, recipe, right):
    code, _, errors = command(called, recipe)
    assert code == 2
    assert f"expected kind {called!r}. Received: {right!r}. Use `distiller {right}`" in errors


LONG = "a" * 300


@pytest.mark.parametrize(
    "call",
    [
        ["run", LONG],
        ["train", LONG],
        ["report", LONG],
        ["inspect", f"{LONG}.tflite"],
        ["distill", LONG, "resnet8", "--data", "digits"],
        ["run", "demo", "--out", LONG],
        ["convert", f"{LONG}.keras", "x.tflite"],
    ],
    ids=lambda call: call[0],
)
def test_a_name_that_no_file_can_have_is_the_inputs(command, call):
    code, _, errors = command(*call)
    assert code == 2
    assert "File name too long" in errors
    assert "--debug" not in errors
