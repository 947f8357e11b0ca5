"""What every test shares: a quiet backend, repeatable random numbers, a garbage collector that seldom looks."""

import gc
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core is busy already
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import pytest
from support import connections

connections.watch()

# A shell starts programs in the background with Ctrl-C ignored, and they hand that on to those that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


if keras.backend.backend() == "tensorflow" and "PYTEST_XDIST_WORKER" in os.environ:
    import tensorflow as tf

    # Nearly every graph here runs a few times: to optimize it took a sixth of the tests' time.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Networks and their traces are millions of objects that stay: looking through them took an eighth of the tests' time.
gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_not_looked_through_again():
    """The converter asks for a full collection each time: it then sees the objects of one module, not of all."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_random_numbers():
    keras.utils.set_random_seed(7)


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine():
    """No test, and no command that it runs, opens a connection to another machine."""
    yield
    assert connections.seen() == []


@pytest.fixture
def command(monkeypatch, capfd):
    """Run the command line; returns its exit code, its output and its errors."""

    def call(*arguments):
        from distiller.cli import entry

        monkeypatch.setattr("sys.argv", ["distiller", *map(str, arguments)])
        try:
            entry.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, *capfd.readouterr()

    return call
