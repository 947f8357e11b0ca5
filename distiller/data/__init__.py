"""Labelled images: sources, splits, replayable augmentation, batches."""

from distiller.data.augmentation import Augmentation
from distiller.data.batches import Batches, InOrder, Replay
from distiller.data.mixing import CutMix, MixUp
from distiller.data.of_tasks import load_task
from distiller.data.sources import NAMES, can_resize, export, is_name, load
from distiller.data.splits import UNLABELLED, Dataset, Split, hide_labels, hold_out

__all__ = [
    "NAMES",
    "UNLABELLED",
    "Augmentation",
    "Batches",
    "CutMix",
    "Dataset",
    "InOrder",
    "MixUp",
    "Replay",
    "Split",
    "can_resize",
    "export",
    "hide_labels",
    "hold_out",
    "is_name",
    "load",
    "load_task",
]
