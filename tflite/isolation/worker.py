"""A child process that works on one file, seen from the parent."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO, Any

from tflite.errors import MeasurementError, ModelError
from tflite.isolation.limits import Limits
from tflite.isolation.messages import OUT_OF_MEMORY, decode, encode

_START_SECONDS = 120.0  # a machine that is busy needs a while to import NumPy
_MOST_BYTES = 2**28  # of one answer

# What the interpreter says when an allocation fails: nothing, or that its delegate could not prepare.
_PERHAPS_MEMORY, _PERHAPS_MEMORY_TOO = "cannot be run:", "failed to reshape runtime"


class ChildEnded(ModelError):
    """The child ended, or was ended, before it had done its job."""


class Worker:
    """Runs jobs on a file in a child process; use it in a `with` statement, which leaves no process behind.

    Args:
        path: the file, for messages.
        limits: of the child.

    Raises:
        MeasurementError: the child does not start.
    """

    def __init__(self, path: str | Path, *, limits: Limits | None = None):
        self.path = Path(path)
        self.limits = limits or Limits()
        self._noise: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._buffer = b""
        # -P and the path of this process: the child imports what the parent would, and nothing from the folder it is
        # started in. One thread of linear algebra is one thread less beside the ones that are measured.
        paths = os.pathsep.join(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "tflite.isolation.child", str(self.limits.memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._closed = weakref.finalize(self, _end, self._process, self._noise)
        try:
            started = self._receive(time.monotonic() + _START_SECONDS) is not None
        except BaseException:
            self.close()
            raise
        if not started:
            reason = self._last_words() or "no answer"
            self.close()
            raise MeasurementError(f"Could not start a process to open {str(self.path)!r} in: {reason}")

    def call(self, job: str, *, seconds: float | None = None, **arguments: Any) -> Any:
        """The result of a job of the child.

        Args:
            job: name, one of `tflite.isolation.child.JOBS`.
            seconds: more than the limit, for a job that is known to take long.
            arguments: of the job; they become JSON, NumPy arrays included.

        Raises:
            ModelError: the file is damaged, hostile or too large for the limits.
            ChildEnded: a `ModelError` too: it crashed the child or took too long.
            MeasurementError: the job failed for another reason.
        """
        allowed = max(seconds or 0.0, self.limits.seconds)
        with contextlib.suppress(BrokenPipeError):  # its death is seen below
            assert self._process.stdin is not None
            self._process.stdin.write(encode({"job": job, "seconds": allowed, "arguments": arguments}))
            self._process.stdin.flush()
        try:
            answer = self._receive(time.monotonic() + allowed)
        except TimeoutError as error:
            self.close()
            raise ChildEnded(f"{str(self.path)!r} did not finish within {allowed:g} s, and was ended") from error
        except BaseException:  # Ctrl-C as well: an answer that comes later would be taken for the next one
            self.close()
            raise
        if answer is None:
            reason = self._cause_of_death()
            self.close()
            raise ChildEnded(f"{str(self.path)!r} ended the process that ran it: {reason}")
        if "result" in answer:
            return answer["result"]
        if answer.get("model"):
            raise ModelError(self._explained(str(answer["error"])))
        raise MeasurementError(f"{str(self.path)!r}: {answer.get('error')}")

    def close(self) -> None:
        """End the child."""
        self._closed()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, until: float) -> dict[str, Any] | None:
        """The next answer, or None of a child that ended."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                part = os.read(self._process.stdout.fileno(), 2**16)
                self._buffer += part
                if not part or len(self._buffer) > _MOST_BYTES:
                    return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            answer = decode(line)
        except (ValueError, TypeError, KeyError):  # of a child that is no longer ours
            return None
        return answer if isinstance(answer, dict) and ("result" in answer or "error" in answer) else None

    def _cause_of_death(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0)
        code = self._process.returncode
        words = self._last_words()
        if "bad_alloc" in words or "MemoryError" in words:
            return f"it {self._too_large()}"
        if code is None:
            return "what it answered is none of the expected"
        if code >= 0:
            return f"exit code {code}{f' ({words})' if words else ''}"
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        if -code in (signal.SIGALRM, signal.SIGXCPU):
            return f"it did not finish within {self.limits.seconds:g} s"
        if -code == signal.SIGKILL:
            return "the system killed it, most likely for its memory"
        return f"the interpreter crashed ({name}). The file is damaged or hostile, or of a newer kind{_bracket(words)}"

    def _explained(self, message: str) -> str:
        """An error of the child on one line: a hostile file has names in it that would write to a terminal."""
        if message == OUT_OF_MEMORY:
            return f"{str(self.path)!r} {self._too_large()}"
        message = " ".join("".join(one if one.isprintable() else " " for one in message).split())
        if message.endswith(_PERHAPS_MEMORY) or _PERHAPS_MEMORY_TOO in message:
            return f"{message.rstrip(' :')} (or it needs more memory than the limit of {self._gigabytes()} GiB)"
        return message

    def _too_large(self) -> str:
        return f"needs more memory than the limit of {self._gigabytes()} GiB"

    def _gigabytes(self) -> str:
        return f"{self.limits.memory_bytes / 2**30:.3g}"

    def _last_words(self) -> str:
        """The last line on the child's standard error stream."""
        self._noise.seek(0)
        lines = self._noise.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip() and not line.startswith(("INFO", "WARNING"))]
        return "".join(one for one in said[-1][:200] if one.isprintable()) if said else ""


def _bracket(words: str) -> str:
    return f" ({words})" if words else ""


def _end(process: "subprocess.Popen[bytes]", noise: IO[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
    noise.close()
