"""Names from files, folders, recipes and phones do not reach a terminal as commands to it."""

import ast
import io
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.table import Table
from support import hostile_files

import tflite
from distiller import cli
from distiller.utils.progress import Reporter
from distiller.utils.safe_console import SafeConsole
from distiller.utils.terminal import one_line, printable

ROOT = Path(cli.__file__).parent
# Clears the screen, and turns the direction of writing.
EVIL = "\x1b[2J\u202e\r"
SHOWN = r"\x1b[2J\u202e\r"


def obeyed(text):
    """The characters of a text that a terminal may obey: Unicode's controls, formats, and halves of pairs."""
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    turning = {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}
    return {
        sign
        for sign in text
        if sign not in "\n\t" and (unicodedata.category(sign) in kinds or unicodedata.bidirectional(sign) in turning)
    }


def test_nothing_that_a_terminal_obeys_is_left():
    everything = "".join(map(chr, range(0x110000)))
    assert len(obeyed(everything)) == 65 - 2 + 2048 + 2 + 9  # C0 with delete and C1, surrogates, line ends, directions
    assert not obeyed(printable(everything))
    assert printable("Ä é 日本 ✓ 🙂\n\tx") == "Ä é 日本 ✓ 🙂\n\tx"
    assert one_line("a\nb\x1b") == r"a\nb\x1b"


def test_every_command_prints_through_the_one_place():
    for path in ROOT.glob("*.py"):
        tree = ast.parse(path.read_text())
        prints = any(isinstance(node, ast.Name) and node.id == "print" for node in ast.walk(tree))
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        safe = [node for node in imports if node.module == "distiller.utils.terminal"]
        assert not prints or "print" in [name.name for node in safe for name in node.names], path.name
    for path in ROOT.parent.rglob("*.py"):
        consoles = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [node for node in consoles if isinstance(node.func, ast.Name) and node.func.id == "Console"], path


@pytest.mark.parametrize("terminal", [False, True])
def test_tables_and_progress(terminal):
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=terminal, color_system=None, width=60)
    table = Table(title=EVIL, box=None)
    table.add_column(EVIL)
    table.add_column("next")
    table.add_row(f"{EVIL}name", "3")
    console.print(table)
    reporter = Reporter(console)
    reporter.say(EVIL)
    if not terminal:  # a bar moves the cursor itself
        with reporter.task(f"{EVIL} title", 2) as task:
            task.say(f"{EVIL} said")
    shown = out.getvalue()
    assert not obeyed(shown)
    assert shown.count(SHOWN) == (4 if terminal else 6)
    row = next(line for line in shown.splitlines() if "name" in line)
    assert row.split() == [f"{SHOWN}name", "3"]  # nothing is cut


def test_a_bar_shows_its_title():
    out = io.StringIO()
    reporter = Reporter(SafeConsole(file=out, force_terminal=True, color_system=None, width=120))
    with reporter.task(EVIL, 2) as task:
        task.say(f"{EVIL} said")
    assert f"{SHOWN} said" in out.getvalue()
    assert out.getvalue().count(SHOWN) > 2  # the title stands before the bar, too
    assert not {"\u202e"} & obeyed(out.getvalue())
    assert EVIL[:4] not in out.getvalue()


class TestCommands:
    """The words of others, where commands repeat them."""

    @pytest.fixture(autouse=True)
    def _look(self, command):
        def call(*arguments):
            code, output, errors = command(*arguments)
            assert not obeyed(output + errors)
            return code, output, errors

        self.call = call

    def test_names_of_tensors(self, tmp_path):
        path = tmp_path / "a.tflite"
        path.write_bytes(hostile_files.sum_of_scalars().replace(b"tensor0", b"\x1b[2Ja\n:"))
        code, output, _ = self.call("inspect", path)
        assert code == 0
        assert r"  input \x1b[2Ja\n:: float32 []" in output
        _, output, _ = self.call("inspect", path, "--json")
        assert r"\u001b[2Ja\n:" in output

    def test_folders_and_endings(self, tmp_path):
        # Names of classes are lines of text: a carriage return is refused before.
        evil, shown = EVIL.strip("\r"), SHOWN.removesuffix(r"\r")
        for part, names in {"train": ("cat", f"d{evil}og"), "test": ("cat", "dog")}.items():
            for name in names:
                (tmp_path / part / name).mkdir(parents=True)
                for i in range(3):
                    Image.fromarray(np.full((8, 8, 3), i, "uint8")).save(tmp_path / part / name / f"{i}.png")
        (tmp_path / "train" / "cat" / f"0.{EVIL}txt").write_text("")
        path = tmp_path / "a.tflite"
        path.write_bytes(hostile_files.sum_of_scalars())
        code, _, errors = self.call("evaluate", path, "--data", tmp_path)
        assert code == 2
        assert f"no images of a kind that can be read: .{SHOWN}txt" in errors
        assert f"Received: d{shown}og, dog in one of them only" in errors

    def test_names_of_arrays(self, tmp_path):
        np.savez(tmp_path / "a.npz", y_train=np.arange(9), **{f"{EVIL}x": np.arange(9)})
        path = tmp_path / "a.tflite"
        path.write_bytes(hostile_files.sum_of_scalars())
        code, _, errors = self.call("evaluate", path, "--data", tmp_path / "a.npz")
        assert code == 2
        assert f"Received: {SHOWN}x, y_train" in errors

    def test_keys_of_recipes(self, tmp_path):
        path = tmp_path / "mine.yaml"
        path.write_text('kind: train\n"\\e[2J": 1\ntraining: {"\\e[2K\\u202e": 1}\n')
        code, _, errors = self.call("train", path)
        assert code == 2
        assert r"\x1b[2J: Unknown key" in errors
        assert r"training.\x1b[2K\u202e: Unknown key" in errors

    def test_words_of_a_phone(self, monkeypatch):
        part = tflite.android.Part(f"phone {EVIL}", True, EVIL)
        monkeypatch.setattr(tflite.android, "readiness", lambda **_: [part])
        code, output, _ = self.call("doctor", "--android")
        assert code in (0, 1)
        assert f"phone {SHOWN}" in output

        def fails(**_):
            raise tflite.MeasurementError(f"adb says: {EVIL}")

        monkeypatch.setattr(tflite.android, "readiness", fails)
        assert self.call("doctor", "--android") == (1, "", f"distiller: adb says: {SHOWN}\n")
        code, _, errors = self.call("doctor", "--android", "--debug")
        assert "Traceback" in errors
        assert f"adb says: {SHOWN}" in errors

    def test_warnings(self, monkeypatch):
        def warns(**_):
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                # As Python itself shows them; pytest collects them otherwise.
                print(warnings.formatwarning(f"layer {EVIL}", UserWarning, "a.py", 3))
            return []

        monkeypatch.setattr(tflite.android, "readiness", warns)
        _, output, _ = self.call("doctor", "--android")
        assert f"UserWarning: layer {SHOWN}" in output
