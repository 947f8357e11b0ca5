"""One training shared by several hosts, through `keras.distribution` on JAX: each computes its part of every batch."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from distiller.data import Batches
from distiller.errors import InputError

SLURM = "slurm"
# What a run's folder has that a training goes on from. Stored answers are read where they are.
_COPIED, _SHARED = ("run.json", "stages", "*.keras"), "cache"


@dataclass(frozen=True)
class Hosts:
    """The hosts of one training, and which of them this process is.

    Attributes:
        address: HOST:PORT on the first host, which the others reach.
        index: of this process, from 0.
        count: of processes, one for each GPU.
    """

    address: str
    index: int
    count: int

    @classmethod
    def named(
        cls, address: str, index: int | None, count: int | None, environment: Mapping[str, str] = os.environ
    ) -> "Hosts":
        """Hosts by options of a command; those that are not given are SLURM's.

        Args:
            address: HOST:PORT, or "slurm": the first machine of the job, and a port by its number.
            index: of this process.
            count: of processes.
            environment: where SLURM's variables are.

        Raises:
            InputError: something is missing or impossible.
        """
        index, count = (
            int(environment[name]) if given is None and name in environment else given
            for given, name in ((index, "SLURM_PROCID"), (count, "SLURM_NTASKS"))
        )
        if index is None or count is None:
            raise InputError(
                "Expected --host-index and --host-count with --hosts, or SLURM_PROCID and SLURM_NTASKS, which srun "
                "sets. Received: neither"
            )
        if not 0 <= index < count:
            raise InputError(
                f"Expected --host-index from 0 to {count - 1} of {count} hosts. Received: --host-index {index}"
            )
        if address == SLURM:
            if not {"SLURM_JOB_ID", "SLURM_STEP_NODELIST"} <= environment.keys():
                raise InputError(f"Expected --hosts {SLURM} in a job of SLURM, by srun. Received: no such job")
            port = 61440 + int(environment["SLURM_JOB_ID"]) % 4096
            address = f"{first_of(environment['SLURM_STEP_NODELIST'])}:{port}"
        if not re.fullmatch(r".+:\d+", address):
            raise InputError(f"Expected --hosts HOST:PORT or {SLURM}. Received: --hosts {address}")
        return cls(address, index, count)

    @property
    def is_first(self) -> bool:
        """Return whether this process writes the run."""
        return self.index == 0

    def join(self) -> None:
        """Meet the other hosts; before anything is computed.

        Raises:
            InputError: the backend is not JAX, or this process has several devices.
        """
        global _joined
        if keras.backend.backend() != "jax":
            raise InputError(f"Several hosts train on JAX: KERAS_BACKEND=jax. Received: {keras.backend.backend()}")
        import jax

        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        keras.distribution.initialize(self.address, self.count, self.index)
        if jax.local_device_count() != 1:
            raise InputError(
                "Expected one device a process: start one for each GPU, with CUDA_VISIBLE_DEVICES. "
                f"Received: {jax.local_device_count()} devices"
            )
        _joined = self

    def meet(self, where: str) -> None:
        """Wait until every host is here."""
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(where)

    @contextmanager
    def folder(self, shared: Path) -> Iterator[Path]:
        """The folder that this host writes to: the run's for the first, else a copy for the time of the block.

        All hosts do the same, and what all but the first have written is dropped. Every host comes here once the run's
        folder is there, and nobody goes on before all have their copy.
        """
        self.meet("opened")
        with nullcontext(str(shared)) if self.is_first else TemporaryDirectory() as place:
            own = Path(place)
            if not self.is_first:
                for pattern in _COPIED:
                    for path in shared.glob(pattern):
                        copy = shutil.copytree if path.is_dir() else shutil.copy2
                        copy(path, own / path.name)
                (own / _SHARED).symlink_to((shared / _SHARED).resolve(), target_is_directory=True)
            self.meet("copied")
            yield own
            self.meet("trained")

    @contextmanager
    def sharing(self, model: keras.Model, batches: Batches) -> Iterator["Shared"]:
        """Let a training of `model` on `batches`, compiled in the block, compute this host's part of each batch alone.

        Raises:
            InputError: the batches cannot be divided evenly.
        """
        if batches.batch_size % self.count:
            raise InputError(
                f"training.batch_size: expected a multiple of {self.count}, the number of hosts. "
                f"Received: {batches.batch_size}"
            )
        shared = keras.distribution.DataParallel(devices=keras.distribution.list_devices(), auto_shard_dataset=False)
        keras.distribution.set_distribution(shared)
        batches.part = (self.index, self.count)
        try:
            yield Shared(model, shared.device_mesh)
        finally:
            batches.part = (0, 1)
            keras.distribution.set_distribution(None)
        # Here alone again: whoever predicts or saves next does so without the others.
        for variable in _variables(model):
            variable.assign(np.asarray(variable.value))


class Shared(keras.callbacks.Callback):
    """Lets every host have every number of a training, as one array of all; behind the callback that restores them.

    Args:
        model: that is trained.
        mesh: of the devices of all hosts.
    """

    def __init__(self, model: keras.Model, mesh: keras.distribution.DeviceMesh):
        super().__init__()
        self._trained, self._mesh = model, mesh

    def spread(self) -> None:
        """Put on all hosts what is on this one, the same on each."""
        for variable in _variables(self._trained):
            layout = keras.distribution.TensorLayout([None] * len(variable.shape), self._mesh)
            variable.assign(keras.distribution.distribute_tensor(variable.value, layout))

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras, after a checkpoint has been restored."""
        self.spread()


def joined() -> Hosts | None:
    """The hosts that this process has joined."""
    return _joined


def first_of(machines: str) -> str:
    """The first machine of a list as SLURM writes it.

    >>> first_of("gpu[007-010,12],login"), first_of("a1,a2"), first_of("rack[1-2]-node[3,5]")
    ('gpu007', 'a1', 'rack1-node3')
    """
    first = re.match(r"(?:\[[^]]*\]|[^,\[])+", machines)
    return re.sub(r"\[([^],-]+)[^]]*\]", r"\1", first[0] if first else machines)


_joined: Hosts | None = None


def _variables(model: keras.Model) -> list[keras.Variable]:
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())
