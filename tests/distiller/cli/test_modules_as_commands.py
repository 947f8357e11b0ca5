"""`python -m distiller` is the command line, and `python -m tflite` says where the commands are."""

import subprocess
import sys


def call(*arguments):
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)


def test_the_command_line():
    done = call("distiller", "--version")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "distiller", "")


def test_of_tflite_there_is_a_pointer():
    done = call("tflite", "inspect", "a.tflite")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "distiller --help" in done.stderr
