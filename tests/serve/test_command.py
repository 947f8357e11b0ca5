"""The command itself, from the first word on the terminal to Ctrl-C, with a run that the results go to."""

import re
import shutil
import signal
import subprocess
import sys

import pytest
from serve.phone import Phone
from support.made_reports import folder_of, made

from distiller.report import measured


@pytest.fixture
def run(models, tmp_path):
    """A run with a file in its folder."""
    folder = folder_of(tmp_path, made())
    shutil.copy(models[2].path, folder / "distilled-0-int8.tflite")
    return folder


def started(*arguments):
    command = [sys.executable, "-m", "distiller", "serve", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said_until(process, pattern):
    """Lines of the terminal until one that a pattern finds, and what it found."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(pattern, line):
            return lines, found
    pytest.fail(f"{''.join(lines)}\n{process.stderr.read()}")


def test_from_the_terminal_to_the_page_of_the_run(run):
    process = started(run / "distilled-0-int8.tflite", "--count", "8")
    phone = Phone()
    try:
        lines, address = said_until(process, r"http://127\.0\.0\.1:\d+/[\w-]{22}/")
        assert lines[0] == (
            "distilled-0-int8.tflite: browsers get a copy of it: its input takes uint8 for int8; its output gives "
            "uint8 for int8\n"
        )
        said_until(process, "--host 0.0.0.0")
        phone.open(address[0])
        assert phone.measure() == "Done"
        assert "Answers 8 of 8 pictures" in phone.text("agreement")
        assert phone.send("Desk phone") == "Kept with the run, thank you."
        lines, _ = said_until(process, "Report: ")
        assert any("distilled-0-int8.tflite on Desk phone" in line and "1 thread: median" in line for line in lines)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "Ended; 1 result kept\n")
        assert "Traceback" not in errors
    finally:
        phone.close()
        process.kill()
        process.wait()
    kept = measured.read(run)
    assert {result.path.name for result in kept} == {"distilled-0-int8.tflite"}
    assert kept[0].device.startswith("Desk phone (")
    page = (run / "report.html").read_text()
    assert "Desk phone (" in page
    assert "Answers 8 images with the class that the interpreter gives here on 8" in page
