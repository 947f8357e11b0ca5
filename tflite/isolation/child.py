"""The process that files are opened in: `python -m tflite.isolation.child MEMORY_BYTES`.

It reads one job a line from standard input, does it, and writes one line to standard output: `{"result": …}` or
`{"error": …, "model": whether the file or the call is to blame}`. It ends when the input does.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tflite.errors import ModelError
from tflite.isolation.limits import deadline, limit_process
from tflite.isolation.messages import OUT_OF_MEMORY, decode, encode

# Name of a job → module and function. The function takes a dictionary that lives as long as the process, and the
# arguments of the job; what it returns becomes JSON. No other code can be asked for.
JOBS = {
    "check": ("tflite.isolation.untrusted", "checked"),
    "prepare": ("tflite.benchmarking.session", "prepare"),
    "warm": ("tflite.benchmarking.session", "warm"),
    "measure": ("tflite.benchmarking.session", "measure"),
    "memory": ("tflite.benchmarking.session", "memory"),
    "profile": ("tflite.benchmarking.profile_session", "profile"),
}


def main() -> None:
    """Do jobs until the input ends."""
    # What C++ prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it too, and ends this process
    limit_process(int(sys.argv[1]))
    state: dict[str, Any] = {}
    _answer(answers, {"result": "ready"})
    for line in sys.stdin.buffer:
        job = decode(line)
        with deadline(job["seconds"]):
            answer = _done(job, state)
        _answer(answers, answer)


def _answer(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(encode(answer))
    answers.flush()


def _done(job: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": _function(job["job"])(state, **job["arguments"])}
    except ModelError as error:
        return {"error": str(error), "model": True}
    except MemoryError:
        return {"error": OUT_OF_MEMORY, "model": True}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "model": False}


def _function(name: str) -> Callable[..., Any]:
    module, function = JOBS[name]
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
