"""Check that a TFLite file can be opened and run without harm."""

from pathlib import Path
from typing import Any

import numpy as np

from tflite.errors import ModelError
from tflite.isolation import Limits, Worker
from tflite.isolation.blame import blaming
from tflite.utils.suggestions import unknown

USES = ("open", "run", "inspect")


def check(
    path: str | Path, *, use: str = "open", time_limit: float = 60.0, memory_limit: int = Limits.memory_bytes
) -> None:
    """Open a TFLite file in a child process, and return if nothing goes wrong.

    `inspect`, `evaluate` and `compare` open a file in the calling process, where a hostile one can crash the
    interpreter. Check a file from elsewhere first; the commands of the command line do. `benchmark` and `profile`
    need no check: they run every file in a child process. A check takes about the time of importing NumPy.

    Args:
        path: TFLite file.
        use: "open" loads it and allocates its tensors; "run" also runs it on random pixels, one image and several, as
            `evaluate` and `compare` do; "inspect" does what `inspect` does.
        time_limit: seconds that it may take.
        memory_limit: bytes that it may allocate.

    Raises:
        ModelError: the file is missing, damaged, of another kind, cannot be run, crashes the interpreter or goes beyond
            a limit.
    """
    if use not in USES:
        raise ModelError(unknown("use", use, USES))
    with Worker(path, limits=Limits(time_limit, memory_limit)) as worker:
        worker.call("check", path=str(path), use=use)


def checked(_: dict[str, Any], path: str, use: str) -> None:
    """The check itself, in the child process."""
    from tflite.inspection.inspector import inspect
    from tflite.model_file.interpreter import allocate, open_model

    with blaming(path):
        interpreter = open_model(path)
        # An operator that the interpreter does not know ends its preparation early, and `inspect` tells of it.
        if use == "inspect" and any(operator.custom for operator in inspect(path).operators):
            return
        allocate(interpreter, path)
        if use == "run":
            with blaming(path, made_up=True):
                _run(path, interpreter)


def _run(path: str, interpreter: Any) -> None:
    from tflite.model_file.interpreter import Runner, ports

    random = np.random.default_rng(0)
    inputs = interpreter.get_input_details()
    for detail, port in zip(inputs, ports(inputs), strict=True):
        interpreter.set_tensor(detail["index"], port.quantize(port.made_up(random)))
    interpreter.invoke()
    if len(inputs) == len(interpreter.get_output_details()) == 1 and len(inputs[0]["shape"]) > 1:
        run = Runner(path)
        run.answers(run.input.made_up(random, (run.batch_size + 1, *run.input.shape[1:])))
