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
