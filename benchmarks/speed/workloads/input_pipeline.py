"""Input pipeline as a workload: its batches alone, without training."""

import itertools
import shutil
import tempfile
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.speed.workloads.names import BATCHES, STORED_BATCHES
from benchmarks.speed.workloads.setting import Setting
from benchmarks.speed.workloads.training_steps import Workload
from distiller import data, teachers

_IMAGES = 4096
_VIEWS = data.Augmentation(crop=2, flip=True)


def input_pipelines() -> list[Workload]:
    """A batch of `data.Batches` in host memory, without and with the teacher outputs of a `teachers.Cache`."""
    return [
        Workload(BATCHES, "pipeline", None, pipeline),
        Workload(STORED_BATCHES, "pipeline", None, lambda setting: pipeline(setting, taught=_stored(setting))),
    ]


def pipeline(setting: Setting, count: int = _IMAGES, **options: Any) -> Callable[[], Any]:
    """One batch of `count` random images; `options` are those of `data.Batches`."""
    batches = data.Batches(_images(setting, count), setting.batch, augmentation=_VIEWS, cycle=1, **options)
    numbers = itertools.count()
    return lambda: batches[next(numbers)]


def _images(setting: Setting, count: int = _IMAGES) -> data.Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, setting.size, setting.size, 3)).astype("uint8")
    return data.Split(images, random.integers(0, setting.classes, count).astype("int32"))


def _stored(setting: Setting) -> teachers.Cache:
    folder = tempfile.mkdtemp()
    cached = teachers.Cache(folder, setting.shared_teacher).build(_images(setting), _VIEWS, seed=0, passes=1)
    weakref.finalize(cached, shutil.rmtree, folder, ignore_errors=True)
    return cached
