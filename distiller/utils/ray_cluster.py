"""Machines of a Ray cluster: how they are reached, how they are shared, and what goes wrong with them in a sentence."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from distiller import __version__
from distiller.errors import InputError, WorkError
from distiller.utils.backend import load_backend
from distiller.utils.processes import environment_of

LOCAL = "local"
# Times that Ray does again what was lost with a machine or a process.
RETRIES = 3
# Seconds that a cluster has to take a connection; Ray itself waits for minutes and then ends the process.
_PATIENCE = 5
# What has to be the same on all machines for the results to be.
_PACKAGES = ("keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class Share:
    """A worker's part of a machine, the same for all workers.

    Attributes:
        cpus: cores.
        gpus: of one GPU, 0 where the machines have none.
        workers: how many of them the cluster has room for.
        environment: variables, set before a worker loads TensorFlow or JAX.
    """

    cpus: int
    gpus: float
    workers: int
    environment: Mapping[str, str]

    def options(self) -> dict[str, Any]:
        """Arguments of `ray.remote`."""
        return {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            # A worker loads TensorFlow before it is sent anything, and without its chatter.
            "runtime_env": {
                "env_vars": dict(self.environment),
                "worker_process_setup_hook": f"{load_backend.__module__}.{load_backend.__name__}",
            },
        }


@dataclass(frozen=True)
class Home:
    """The surroundings that a worker shares with whoever started it: the folder in which paths begin, and versions."""

    folder: str
    versions: Mapping[str, str]

    @classmethod
    def here(cls) -> "Home":
        """Those of this process."""
        return cls(os.getcwd(), _versions())

    def enter(self) -> None:
        """Begin to work in them.

        Raises:
            InputError: this machine has other versions, or not the folder.
        """
        here = _versions()
        other = [
            f"{name} {here[name]} (there: {wanted})" for name, wanted in self.versions.items() if here[name] != wanted
        ]
        if other:
            raise InputError(
                f"Expected the same versions on every machine. Received on {socket.gethostname()}: {', '.join(other)}"
            )
        if not os.path.isdir(self.folder):
            raise InputError(
                f"Expected the folder {self.folder!r} on every machine, on a disk that all of them see. "
                f"Received: none on {socket.gethostname()}"
            )
        os.chdir(self.folder)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Work with the Ray cluster at an address while the block runs; one that the process is in already is used.

    Args:
        address: "local" for one of this machine alone, which ends with the block; "auto" for the cluster that this
            machine is part of; else HOST:PORT.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """
    check(address)
    import ray

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, include_dashboard=False if address == LOCAL else None, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, str(error).splitlines()[0]) from error
    try:
        yield
    finally:
        ray.shutdown()


def check(address: str) -> None:
    """See whether there is Ray, and something that listens at an address, before long work begins.

    Raises:
        InputError: there is not.
    """
    # Ray reports to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its workers see their share of the GPUs, and where that is none, none.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise InputError(
            "--ray needs Ray, which is not installed. Install it: pip install 'ray[data]', or in a checkout "
            f"pip install '.[ray]'. {error}"
        ) from error
    if address not in (LOCAL, "auto"):
        _look_for(address)


def share(processes: int) -> Share:
    """Workers for a cluster whose machines each do so many pieces of work at a time, or each of their GPUs does.

    Raises:
        InputError: no machine of the cluster has a core to work with.
    """
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not machines:
        raise InputError("Expected a Ray cluster with machines of 1 core or more. Received: none that has any")
    on_gpus = [machine for machine in machines if machine.get("GPU", 0) >= 1]
    if on_gpus:
        cpus = max(1, int(min(machine["CPU"] / machine["GPU"] for machine in on_gpus)) // processes)
        workers = sum(int(machine["GPU"]) * processes for machine in on_gpus)
        return Share(cpus, 1 / processes, workers, environment_of(processes, cpus))
    cpus = max(1, int(min(machine["CPU"] for machine in machines)) // processes)
    workers = sum(int(machine["CPU"]) // cpus for machine in machines)
    return Share(cpus, 0, workers, environment_of(processes, cpus))


# The outcome of work elsewhere: what it returned, and the kind and message of its error, of which one is None.
Outcome = tuple[Any, tuple[str, str] | None]


def outcome_of(work: Callable[[], Any]) -> Outcome:
    """The result of work, or its error in words, which any process can read."""
    try:
        return work(), None
    except InputError as error:
        return None, ("InputError", str(error))
    except WorkError as error:
        return None, ("WorkError", str(error))
    except OSError as error:
        named = f": {error.filename!r}" if error.filename else ""
        return None, ("WorkError", f"{error.strerror or error}{named}, on {socket.gethostname()}")
    except Exception as error:
        return None, ("WorkError", f"{type(error).__name__}: {error}, on {socket.gethostname()}")


def result_of(outcome: Outcome) -> Any:
    """The result of work elsewhere.

    Raises:
        InputError, WorkError: it failed.
    """
    result, error = outcome
    if error is None:
        return result
    kind, message = error
    raise (InputError if kind == "InputError" else WorkError)(message)


@contextmanager
def told_if_lost() -> Iterator[None]:
    """Say in a sentence that machines were lost more often than Ray tries again.

    Raises:
        WorkError: they were.
    """
    from ray.exceptions import RayError, RayTaskError

    try:
        yield
    except RayTaskError as error:  # of a worker that could not begin, as one without this package
        raise WorkError(
            f"A worker of the cluster cannot begin: {type(error.cause).__name__}: {error.cause}. Every machine needs "
            "this package and Ray, of the same versions"
        ) from error
    except RayError as error:
        raise WorkError(
            f"A machine or a process of the cluster was lost {RETRIES + 1} times at one piece of work, perhaps for its "
            f"memory: {str(error).splitlines()[0]}. What was done is kept: call it again to go on"
        ) from error


def _look_for(address: str) -> None:
    """Raise InputError unless something listens at an address."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"Expected --ray local, auto or HOST:PORT. Received: {address!r}")
    try:
        with closing(socket.create_connection((host, int(port)), _PATIENCE)):
            pass
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, reason: str) -> InputError:
    return InputError(
        f"There is no Ray cluster at {address!r}: {reason.rstrip('.')}. Start one with `ray start --head` and give its "
        "HOST:PORT, or use --ray local"
    )


@cache
def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:2]))
    return {"distiller": __version__, "python": python, **{name: version(name) for name in _PACKAGES}}
