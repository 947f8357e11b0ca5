"""The folder of a run: what may be asked when it goes on."""

import pytest

from distiller import recipes
from distiller.errors import InputError
from distiller.folder import RunFolder


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


@pytest.mark.parametrize("seeds", [[0], [0, 2], [5]])
def test_no_seed_may_be_left_out(begun, seeds):
    with pytest.raises(InputError, match="another seeds"):
        RunFolder.open(begun, demo(seeds), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]


def test_nothing_else_may_change_with_them(begun):
    with pytest.raises(InputError, match="another seeds and summary"):
        RunFolder.open(begun, demo([0, 1, 5], summary="another"), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]
