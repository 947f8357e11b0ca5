"""Workloads in processes of their own, which take turns: the threads of two frameworks never share a process."""

import multiprocessing
import random
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from distiller.errors import WorkError

Steps = Mapping[str, Callable[[], Any]]


class Worker:
    """Process that holds steps and times them on request; a context manager.

    Args:
        make: returns steps by name, of which each returns numbers; it is called in the process.
        arguments: of `make`.
    """

    def __init__(self, make: Callable[..., Steps], *arguments: Any):
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: Any) -> None:
        self._ours.close()
        self._process.join()

    def names(self) -> list[str]:
        """Names of the steps, once they are built and warm; the first call waits for that."""
        return self._ask(None)

    def seconds(self, name: str, count: int) -> float:
        """Seconds of one step, the mean over `count`."""
        return self._ask((name, count))

    def _ask(self, what: Any) -> Any:
        try:
            self._ours.send(what)
            kind, answer = self._ours.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise WorkError(f"A process of the benchmark ended: exit code {self._process.exitcode}") from None
        if kind == "error":
            raise WorkError(answer)
        return answer


def _serve(theirs: Connection, make: Callable[..., Steps], arguments: tuple[Any, ...]) -> None:
    try:
        steps = make(*arguments)
        for step in steps.values():
            for _ in range(3):
                _check(step())
    except Exception as error:  # told to who asked
        _answer(theirs, ("error", f"{type(error).__name__}: {error}"))
        return
    while True:
        try:
            asked = theirs.recv()
        except EOFError:
            return
        theirs.send(("names", list(steps)) if asked is None else _time(steps[asked[0]], asked[1]))


def _answer(theirs: Connection, answer: tuple[str, Any]) -> None:
    theirs.recv()
    theirs.send(answer)


def _time(step: Callable[[], Any], count: int) -> tuple[str, Any]:
    start = time.perf_counter()
    for _ in range(count):
        returned = step()
    try:
        _check(returned)
    except WorkError as error:
        return "error", str(error)
    return "seconds", (time.perf_counter() - start) / count


def _check(returned: Any) -> None:
    """Wait for the numbers of a step; WorkError unless they are finite."""
    import math

    values = [float(value) for value in returned]
    if not all(map(math.isfinite, values)):
        raise WorkError(f"Expected finite numbers of a step. Received: {values}")


def time_in_rounds(
    workers: Mapping[str, Worker],
    *,
    rounds: int,
    count: int,
    seed: int = 0,
    done: Callable[[int], None] = lambda n: None,
) -> dict[str, list[float]]:
    """Seconds of one step by "worker: step", one number per round; the order is drawn anew each round.

    Args:
        workers: by name.
        rounds: at least 1.
        count: steps per measurement, at least 1.
        seed: of the orders.
        done: called with the number of measurements so far.
    """
    order = [(worker, name) for worker, process in workers.items() for name in process.names()]
    found: dict[str, list[float]] = {f"{worker}: {name}": [] for worker, name in order}
    draw, measured = random.Random(seed), 0
    for _ in range(rounds):
        draw.shuffle(order)
        for worker, name in order:
            found[f"{worker}: {name}"].append(workers[worker].seconds(name, count))
            measured += 1
            done(measured)
    return found
