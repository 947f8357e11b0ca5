"""Running a file again and again: what happens in the child process."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tflite.benchmarking.images import images_of, operators_in
from tflite.benchmarking.machine import forget_most_resident, most_resident_bytes, resident_bytes
from tflite.errors import ModelError
from tflite.inspection.partitions import taken
from tflite.isolation.blame import blaming
from tflite.model_file.files import read_model
from tflite.model_file.interpreter import allocate, open_model, ports
from tflite.model_file.tensor_spec import TensorSpec

Feed = list[tuple[int, np.ndarray]]  # what goes into which input


def prepare(
    state: dict[str, Any],
    path: str,
    threads: int,
    delegate: str,
    inputs: Any,
    seed: int,
) -> dict[str, Any]:
    """Open a file and run it once; returns its size, its first times and how many images a run has."""
    import ai_edge_litert.interpreter  # noqa: F401 (its import is no part of what is measured)

    state["path"] = path
    forget_most_resident()
    state["resident"] = resident_bytes()
    with blaming(path):
        content = read_model(path)
        started = time.perf_counter_ns()
        interpreter = open_model(path, content=content, threads=threads, delegate=delegate)
        allocate(interpreter, path)
        ready = time.perf_counter_ns()
        state["opening"] = memory(state)
        before = resident_bytes()
        feeds = feeds_of(interpreter, path, inputs, seed)
        state["resident"] += max(0, resident_bytes() - before)  # what the runs work on is no part of the file
        forget_most_resident()
        state["run"] = _runner(interpreter, feeds)
        with blaming(path, made_up=inputs is None):
            first = state["run"]()
        operators = operators_in(content)
        return {
            "bytes": len(content),
            "init_ns": ready - started,
            "first_ns": first,
            "images": images_of(detail["shape"] for detail in interpreter.get_input_details()),
            "operators": operators,
            "delegated": operators and sum(map(len, taken(interpreter, operators))),
        }


def warm(state: dict[str, Any], runs: int, max_seconds: float) -> int:
    """Run a file without measuring; returns how often."""
    with blaming(state["path"]):
        return warm_up(state["run"], runs, max_seconds)


def measure(state: dict[str, Any], runs: int, min_seconds: float, max_seconds: float, settle: int) -> list[int]:
    """Nanoseconds of each run of one round; `settle` runs before it are not measured."""
    with blaming(state["path"]):
        warm_up(state["run"], settle, max_seconds)
        return timed(state["run"], runs, min_seconds, max_seconds)


def memory(state: dict[str, Any]) -> int:
    """The most bytes that opening and running took so far, without those of the inputs that were made ready."""
    return max(state.get("opening", 0), most_resident_bytes() - state["resident"], 0)


def feeds_of(interpreter: Any, path: str, inputs: Any, seed: int) -> list[Feed]:
    """Inputs of an interpreter's runs, in turn: one batch of `TensorSpec.made_up`, or all batches of `inputs`."""
    details = interpreter.get_input_details()
    indexes, taken = [detail["index"] for detail in details], ports(details)
    return _random(indexes, taken, seed) if inputs is None else _given(indexes, taken, inputs, path)


def timed(run: Callable[[], int], runs: int, min_seconds: float, max_seconds: float) -> list[int]:
    """Durations that `run` returns, one after another, by the rules of a round."""
    times = []
    started = time.perf_counter_ns()
    while True:
        times.append(run())
        seconds = (time.perf_counter_ns() - started) / 1e9
        if (len(times) >= runs and seconds >= min_seconds) or seconds >= max_seconds:
            return times


def warm_up(run: Callable[[], int], runs: int, max_seconds: float) -> int:
    """Run so often, and not much longer than `max_seconds`; returns how often."""
    started = time.perf_counter_ns()
    for number in range(1, runs + 1):
        run()
        if time.perf_counter_ns() - started > 1e9 * max_seconds:
            return number
    return max(0, runs)


def _runner(interpreter: Any, feeds: list[Feed]) -> Callable[[], int]:
    """One run: the nanoseconds from the call that computes until the outputs are there."""
    place = 0

    def fill(feed: Feed) -> None:
        for index, values in feed:
            interpreter.set_tensor(index, values)

    def run() -> int:
        nonlocal place
        if len(feeds) > 1:
            fill(feeds[place])
            place = (place + 1) % len(feeds)
        before = time.perf_counter_ns()
        interpreter.invoke()  # returns when the outputs are there
        return time.perf_counter_ns() - before

    fill(feeds[0])
    return run


def _random(indexes: list[int], taken: tuple[TensorSpec, ...], seed: int) -> list[Feed]:
    random = np.random.default_rng(seed)
    return [[(index, port.quantize(port.made_up(random))) for index, port in zip(indexes, taken, strict=True)]]


def _given(indexes: list[int], taken: tuple[TensorSpec, ...], inputs: Any, path: str) -> list[Feed]:
    """One feed a batch of samples; what is left over of a batch is not used."""
    if not isinstance(inputs, Mapping):
        if len(taken) != 1:
            names = [port.name for port in taken]
            raise ModelError(f"Expected `inputs` as a dictionary with {names} for {path!r}. Received: one array")
        inputs = {taken[0].name: inputs}
    if inputs.keys() != {port.name for port in taken}:
        raise ModelError(
            f"Expected `inputs` for {[port.name for port in taken]} of {path!r}. Received: {sorted(inputs)}"
        )
    batches = [_batches(port, inputs[port.name], path) for port in taken]
    if len({len(each) for each in batches}) > 1:
        received = ", ".join(f"{len(each)} for {port.name!r}" for port, each in zip(taken, batches, strict=True))
        raise ModelError(f"Expected `inputs` for as many runs of each input of {path!r}. Received: {received}")
    return [list(zip(indexes, batch, strict=True)) for batch in zip(*batches, strict=True)]


def _batches(port: TensorSpec, given: Any, path: str) -> list[np.ndarray]:
    """Samples of one input, a batch a run; of an input without a shape a number a run."""
    values = np.asarray(given)
    size, rest = max((1, *port.shape[:1])), port.shape[1:]
    if values.ndim != max(1, len(port.shape)) or values.shape[1:] != rest or len(values) < size:
        shape = ", ".join(map(str, ("n", *rest))) if rest else "n,"
        raise ModelError(
            f"Expected `inputs` of shape ({shape}), n at least {size}, for {port.name!r} of {path!r}. "
            f"Received: {values.shape}"
        )
    starts = range(0, len(values) - size + 1, size)
    return [port.quantize(values[i : i + size]).reshape((size, *rest) if port.shape else ()) for i in starts]
