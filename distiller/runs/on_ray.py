"""Work of a run on the machines of a Ray cluster; `distiller.utils.ray_cluster.connected` is around all of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from distiller.teachers.caching.building import Build
from distiller.teachers.caching.shards import Part
from distiller.utils.ray_cluster import RETRIES, Home, outcome_of, result_of, share, told_if_lost

# Pieces into which Ray Data divides the work at the most; what is done in a piece is not done again.
_BLOCKS = 2000
# Seconds between two looks at what another call is at.
_POLL = 1.0


def each_done(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]], processes: int) -> Iterator[Any]:
    """Results of `work(*call)` for all calls, each a Ray task, in the order in which they are done.

    A task that is lost with its machine or process is begun again elsewhere.

    Args:
        work: a function of a module.
        calls: its arguments, a tuple a call.
        processes: tasks at a time on each machine, or on each of its GPUs.

    Raises:
        InputError, WorkError: a task failed.
    """
    import ray

    task = ray.remote(_work_at_home).options(**share(processes).options(), max_retries=RETRIES)
    home = Home.here()
    pending = [task.remote(home, work, call) for call in calls]
    while pending:
        done, pending = ray.wait(pending)
        with told_if_lost():
            outcome = ray.get(done[0])
        yield result_of(outcome)


def compute_parts(
    begin: Callable[[], AbstractContextManager[Build]], work: Build, show: Callable[[int], Any], processes: int
) -> None:
    """Compute the parts of a cache that are missing with Ray Data, whose actors each hold a teacher.

    What another call is at is left to it, and waited for.

    Args:
        begin: begins the same work on any machine.
        work: begun here.
        show: called with the number of answers that are there.
        processes: actors on each machine, or on each of its GPUs.

    Raises:
        InputError, WorkError: as of `Build.compute`, or machines are lost again and again.
    """
    while missing := work.left():
        free = [part for part in missing if not work.shards.awaited(part)]
        if not free:
            time.sleep(_POLL)
            continue
        for row in _rows(begin, free, processes):
            if result_of((row["there"], (row["kind"], row["message"]) if row["kind"] else None)):
                work.note(Part(row["turn"], row["shard"]))
                show(work.done)


def _rows(
    begin: Callable[[], AbstractContextManager[Build]], parts: Sequence[Part], processes: int
) -> Iterator[dict[str, Any]]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    shared = share(processes)
    workers = min(shared.workers, len(parts))
    rows = ray.data.from_items([part._asdict() for part in parts], override_num_blocks=min(len(parts), _BLOCKS))
    answered = rows.map_batches(
        _Answering,
        fn_constructor_kwargs={"begin": begin, "home": Home.here()},
        batch_size=1,
        # Those that are there begin; Ray Data starts those anew that are lost, for as long as this call runs.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        **shared.options(),
    )
    with told_if_lost():
        yield from answered.iter_rows()


class _Answering:
    """An actor that holds a teacher and computes one part after another."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Build]], home: Home):
        self._begin, self._home, self._stack = begin, home, ExitStack()
        self._work: Build | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        part = Part(int(batch["turn"][0]), int(batch["shard"][0]))
        there, error = outcome_of(lambda: self._opened().compute(part))
        kind, message = error or ("", "")
        return {
            "turn": [part.turn],
            "shard": [part.shard],
            "there": [bool(there)],
            "kind": [kind],
            "message": [message],
        }

    def _opened(self) -> Build:
        if self._work is None:
            self._home.enter()
            self._work = self._stack.enter_context(self._begin())
        return self._work


def _work_at_home(home: Home, work: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    def entered() -> Any:
        home.enter()
        return work(*call)

    return outcome_of(entered)
