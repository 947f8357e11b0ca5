"""`distiller recipes`."""

from distiller import recipes


def test_the_text_of_a_recipe_begins_one_of_ones_own(command, tmp_path):
    code, out, errors = command("recipes", "demo")
    assert (code, errors) == (0, "")
    mine = tmp_path / "mine.yaml"
    mine.write_text(out)
    assert recipes.read(mine) == recipes.read("demo").model_copy(update={"name": "mine"})


def test_a_recipe_that_is_not_there_has_the_nearest(command):
    code, out, errors = command("recipes", "dmo")
    assert (code, out) == (2, "")
    assert "Did you mean 'demo'" in errors
