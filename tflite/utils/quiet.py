"""Keeping what C++ code writes to the standard error stream away from a person who can do nothing about it."""

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

# The stream belongs to the whole process: two threads that redirect it at once would restore each other's copy.
_lock = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Catch what is written to file descriptor 2; yields a function that returns it.

    `sys.stderr` goes on to where it went, so Python's own messages, progress bars too, still arrive.
    """
    with _lock, contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
        except OSError:  # a process without a standard error stream is quiet
            yield lambda: ""
            return
        stack.callback(os.close, kept)
        caught = stack.enter_context(tempfile.TemporaryFile())
        if _is_descriptor_2(sys.stderr):
            sys.stderr.flush()
            through = os.fdopen(os.dup(kept), "w", encoding=sys.stderr.encoding, buffering=1, errors="replace")
            stack.enter_context(through)
            stack.callback(_hand_back, through, sys.stderr)
            stack.enter_context(contextlib.redirect_stderr(through))
        os.dup2(caught.fileno(), 2)
        stack.callback(os.dup2, kept, 2)

        def text() -> str:
            caught.seek(0)
            return caught.read().decode(errors="replace")

        yield text


def _hand_back(through: TextIO, stream: TextIO) -> None:
    """Let loggers that were made meanwhile, such as TensorFlow's own, write to the stream that stays."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in {handler for logger in loggers for handler in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is through:
            handler.setStream(stream)


def _is_descriptor_2(stream: object) -> bool:
    try:
        return stream.fileno() == 2  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
