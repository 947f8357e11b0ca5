"""Catching what C++ writes, and nothing else."""

import logging
import os
import sys
import threading

import pytest

from tflite.utils.quiet import quiet


def test_descriptor_2_is_caught_and_restored(capfd):
    with quiet() as text:
        os.write(2, b"noise\n")
        assert text() == "noise\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_python_messages_still_arrive(capfd):
    with quiet():
        print("a message", file=sys.stderr)
    assert "a message" in capfd.readouterr().err


def test_restored_after_an_error(capfd):
    with pytest.raises(KeyError), quiet():
        raise KeyError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_nested(capfd):
    with quiet() as outer:
        with quiet() as inner:
            os.write(2, b"in")
            assert inner() == "in"
        os.write(2, b"out")
        assert outer() == "out"
    assert capfd.readouterr().err == ""


def test_threads_take_turns(capfd):
    def work():
        for _ in range(20):
            with quiet():
                os.write(2, b"noise")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_a_logger_that_is_made_meanwhile_goes_on(capfd):
    """TensorFlow's is made where TensorFlow is loaded, and keeps the stream of that moment."""
    logger = logging.getLogger("made while it was quiet")
    with quiet():
        logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.warning("a warning")
    assert capfd.readouterr().err == "a warning\n"
