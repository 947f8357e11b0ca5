"""Processes that train side by side and end with the one that started them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process

_PROCESSES = "DISTILLER_PROCESSES"


@contextmanager
def pool(processes: int, begin: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each with its share of the cores, and a GPU's memory as it needs it.

    Each calls `begin` before its first work. What the environment says already of threads and memory is kept. They end
    when the block does: at once where it is interrupted, after what they are doing where it fails, and by themselves
    where this process is killed.
    """
    others = set(active_children())
    with _environment(environment_of(processes, max(1, cores() // processes))):
        executor = ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(begin,)
        )
        try:
            yield executor
        except Exception:
            raise
        except BaseException:
            for process in set(active_children()) - others:
                process.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def cores() -> int:
    """Number of cores that this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS and Windows
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def running() -> dict[str, int]:
    """Number of students that train at a time, and of threads of an operator: sums in another order differ a little."""
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return {
        "processes": int(os.environ.get(_PROCESSES, "1")),
        "threads": int(threads) if threads.isdigit() and int(threads) else cores(),
    }


def environment_of(processes: int, threads: int) -> dict[str, str]:
    """Environment of each of so many processes of a machine, set before it loads TensorFlow or JAX.

    Args:
        processes: at a time.
        threads: of each.
    """
    return {
        _PROCESSES: str(processes),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # By default the first process that asks takes most of the GPU's memory.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Variables that are not set yet, set while the block runs."""
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _begin(then: Callable[[], None] | None) -> None:
    # Ctrl-C reaches every process of a terminal: this one ends without a traceback of its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    if then:
        then()


def _end_with_the_first() -> None:
    first = parent_process()
    assert first is not None
    first.join()
    os._exit(1)
