"""One command line for all benchmarks: its options, its help, and what it records."""

import argparse
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from benchmarks import shell, tables
from benchmarks.results import lines
from distiller.errors import InputError, WorkError

FOLDER = Path(shell.__file__).parent
COMMANDS = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if "\n@command(" in path.read_text()
)
DOCUMENTS = [tables.ROOT / name for name in tables.DOCUMENTS] + sorted((tables.ROOT / "docs").rglob("*.md"))
DOCUMENTED = sorted(
    {
        (name, arguments.strip())
        for path in DOCUMENTS
        for name, arguments in re.findall(r"python -m (benchmarks[\w.]*)((?: (?!#)[^\s`)…]+)*)", path.read_text())
    }
)


def main_of(name):
    return importlib.import_module(name).main


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main_of(name)(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: python -m {name}" in said
    assert re.search(rf"^    .*python -m {name}( |$)", said, re.MULTILINE)


def test_every_command_is_found():
    assert len(COMMANDS) >= 21
    assert {name for name, _ in DOCUMENTED} <= set(COMMANDS)


@pytest.mark.parametrize(("name", "arguments"), DOCUMENTED)
def test_a_command_of_the_documents_is_understood(name, arguments):
    words = shlex.split(arguments.replace("EXPERIMENT", "label_spaces"))
    assert vars(main_of(name).parse(words))


@pytest.mark.parametrize("name", COMMANDS)
def test_shared_options_are_declared_once(name):
    """Nowhere but in the shell."""
    text = Path(FOLDER.parent, *name.split(".")).with_suffix(".py").read_text()
    assert not re.search(
        r"ArgumentParser|TF_CPP|option\(\s*\"--(data-dir|tiny|rounds|results|out|batch|precision)\"", text
    )


def measured(result, **settings):
    """A command of this module that returns `result`."""

    def measure(args):
        if isinstance(result, Exception):
            raise result
        return result

    return shell.command(shell.rounds(3), shell.tiny(), backend=False, **settings)(measure)


def test_lines_are_recorded_with_their_origin_and_shown(tmp_path, capsys):
    main = measured([{"a": 1}, {"a": 2, "processes": 7}], results="it.jsonl", show=lambda found: f"{len(found)} lines")
    assert main(["--results", str(tmp_path)]) == 0
    first, second = lines.read(tmp_path / "it.jsonl")
    assert (first["a"], second["a"]) == (1, 2)
    assert first["run"] == second["run"]
    assert {"versions", "machine", "commit"} <= first.keys()
    # A line's own word counts.
    assert second["processes"] == 7
    assert capsys.readouterr().out == "2 lines\n"
    assert main(["--out", str(tmp_path / "other.jsonl")]) == 0
    assert [line["a"] for line in lines.read(tmp_path / "other.jsonl")] == [1, 2]


def test_parts_are_recorded_as_they_come(tmp_path):
    def measure(args):
        yield [{"a": 1}]
        raise WorkError("the second one failed")

    main = shell.command(results="it.jsonl", backend=False)(measure)
    assert main(["--results", str(tmp_path)]) == 1
    assert [line["a"] for line in lines.read(tmp_path / "it.jsonl")] == [1]


def test_a_verdict_is_the_exit_code(tmp_path):
    main = measured([{"a": 1}], results="it.jsonl", passed=lambda found: found[0]["a"] > 1)
    assert main(["--results", str(tmp_path)]) == 1


@pytest.mark.parametrize(("error", "code"), [(InputError("no such thing"), 2), (WorkError("it failed"), 1)])
def test_an_error_is_one_sentence(error, code, capsys):
    assert measured(error)([]) == code
    assert capsys.readouterr().err == f"{error}\n"


def test_a_trial_is_not_recorded_among_the_results(capsys):
    main = measured([{"a": 1}], results="demo.jsonl")
    for arguments in (["--tiny"], ["--tiny", "--results", str(lines.RESULTS / "demo.jsonl")]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "a --tiny run is no result: give --results another folder or file" in capsys.readouterr().err


def test_a_file_of_results_may_be_named_by_an_argument(tmp_path):
    main = shell.command(shell.option("which", help="one"), results="{which}.jsonl", stamp=False, backend=False)(
        lambda args: [{"a": 1}]
    )
    assert main(["this", "--results", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "this.jsonl").read_text()) == {"a": 1}


def test_numbers_have_a_lower_bound(capsys):
    assert shell.at_least(10)("10") == 10
    with pytest.raises(argparse.ArgumentTypeError, match="expected 10 or more, received 9"):
        shell.at_least(10)("9")
    with pytest.raises(SystemExit):
        measured([])(["--rounds", "0"])
    assert "--rounds: expected 1 or more, received 0" in capsys.readouterr().err
