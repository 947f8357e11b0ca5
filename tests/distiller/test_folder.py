"""The folder of a run: what may be asked when it goes on."""

import pytest

from distiller import recipes
from distiller.errors import InputError
from distiller.folder import RunFolder, write_json


@pytest.fixture
def begun(tmp_path):
    RunFolder.open(tmp_path / "run", demo([0, 1]), resume=False, force=False)
    return tmp_path / "run"


def demo(seeds, **changes):
    return recipes.read_run("demo").model_copy(update={"seeds": seeds, **changes})


def test_more_seeds_may_be_asked(begun):
    folder = RunFolder.open(begun, demo([0, 1, 5]), resume=True, force=False)
    assert folder.run()["recipe"]["seeds"] == [0, 1, 5]
    assert {"commit", "machine", "versions"} <= folder.run().keys()


def test_the_order_of_seeds_is_free(begun):
    assert RunFolder.open(begun, demo([1, 0]), resume=True, force=False).run()["recipe"]["seeds"] == [1, 0]


def test_a_run_from_before_a_recipe_could_say_more_goes_on(begun):
    run = RunFolder(begun).run()
    del run["recipe"]["teacher"]["frozen"], run["recipe"]["cache"]
    write_json(begun / "run.json", run)
    assert RunFolder.open(begun, demo([0, 1]), resume=True, force=False).run()["recipe"]["teacher"]["frozen"] is False


def test_a_stage_says_which_commit_made_it(begun, monkeypatch):
    folder = RunFolder(begun)
    for commit in ("first", "second"):
        monkeypatch.setattr("distiller.folder.provenance", lambda commit=commit: {"commit": commit})
        folder.once(commit, lambda _: {"steps": 3})
        folder.once("first", lambda _: {"steps": 4})
    assert folder.result("first") == {"steps": 3, "provenance": {"commit": "first"}}
    assert folder.result("second")["provenance"] == {"commit": "second"}


@pytest.mark.parametrize("seeds", [[0], [0, 2], [5]])
def test_no_seed_may_be_left_out(begun, seeds):
    with pytest.raises(InputError, match="another seeds"):
        RunFolder.open(begun, demo(seeds), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]


def test_nothing_else_may_change_with_them(begun):
    with pytest.raises(InputError, match="another summary"):
        RunFolder.open(begun, demo([0, 1, 5], summary="another"), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]
