"""The documentation's Python runs as it stands there, and its commands and options exist."""

import configparser
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from distiller.cli import entry

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(entry.app).commands


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def called(page):
    """The calls of `distiller` in the blocks of a page, without comments."""
    lines = [
        line for language in ("console", "text", "") for block in blocks(page, language) for line in block.splitlines()
    ]
    return [line.partition(" #")[0] for line in lines if line.startswith("distiller ")]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_its_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page, "python"):
        source = re.sub(r"epochs=\d+", "epochs=1", block)
        exec(compile(source, page.name, "exec"), names)
    if "student.tflite" in page.read_text() and (tmp_path / "student.tflite").exists():
        assert names["tflite"].inspect(tmp_path / "student.tflite").is_integer


@pytest.mark.parametrize("page", [page for page in PAGES if called(page)], ids=lambda page: page.stem)
def test_its_commands_exist(page):
    for line in called(page):
        _, command, *words = shlex.split(line)
        assert command in COMMANDS or command.startswith("-"), line
        known = {name for one in COMMANDS[command].params for name in (*one.opts, *one.secondary_opts)}
        for word in words:
            assert not word.startswith("--") or word.partition("=")[0] in known, line


def test_every_extra_is_on_the_first_page_and_in_the_readme():
    """But for those that people who work on the project install."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = set(setup["options.extras_require"]) - {"dev", "docs", "peers"}
    for page in (ROOT / "docs/index.md", ROOT / "README.md"):
        assert set(re.findall(r"'\.\[(\w+)\]'", page.read_text())) == extras


def test_every_recipe_key_says_what_it_means():
    spec = importlib.util.spec_from_file_location("recipe_pages", ROOT / "docs/_generate/recipe_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ((_, text),) = module.pages()
    rows = [re.split(r"(?<!\\) \| ", line) for line in text.splitlines() if line.startswith("| `")]
    keys = [row for row in rows if len(row) == 4]
    assert len(keys) > 100
    assert [key for key, meaning, *_ in keys if not meaning.strip()] == []
