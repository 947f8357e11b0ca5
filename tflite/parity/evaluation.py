"""Accuracy of a TFLite file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.interpreter import Runner, largest
from tflite.utils import samples
from tflite.utils.record import Record

UNLABELLED = -1


@dataclass(frozen=True)
class Evaluation(Record):
    """Accuracy of a TFLite file.

    `accuracy` is the fraction correct / samples; a sample with NaN among its outputs is not right. `skipped` samples
    had no label and count nowhere. `seconds` is the time in the interpreter and its copies; a latency is measured by
    `tflite.benchmark`.
    """

    path: Path
    accuracy: float
    samples: int
    correct: int
    skipped: int
    seconds: float
    threads: int


def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    threads: int = 1,
    progress: Callable[[int, int | None], None] | None = None,
) -> Evaluation:
    """Accuracy of a TFLite classifier on images with labels.

    Args:
        path: TFLite file with one input of images and one output of scores (batch, classes).
        dataset: (images, labels) as arrays, a Keras `PyDataset`, or an iterable of such batches, `tf.data` too. Images
            are (n, height, width, channels), pixels in [0, 255], or real numbers in the unit of the model. Pixels are
            scaled as the file's metadata or its quantized input says; see `tflite.scaling`. Labels are integers (n,),
            −1 for a sample to skip.
        threads: of the interpreter.
        progress: called with the samples done and those in all, or None where that is not known.

    Raises:
        ModelError: a file that cannot be run, images or labels that do not fit it, numbers of another unit than the
            file's input stands for, or no labelled sample.
    """
    run = Runner(path, threads=threads)
    if len(run.output.shape) != 2:
        raise ModelError(
            f"Expected a classifier with outputs (batch, classes). Received: {str(path)!r} with {run.output.shape}"
        )
    classes = run.classes()
    total = samples.count(dataset)
    correct = seen = skipped = 0
    seconds = 0.0
    for images, labels in samples.gathered(samples.batches(dataset)):
        if labels is None:
            raise ModelError("Expected images with labels. Received: images alone")
        _check(labels, classes)
        labelled = labels != UNLABELLED
        if labelled.any():
            started = time.perf_counter()
            # The largest integer is the largest real number: scales are positive.
            guesses = largest(run.integers(images[labelled]))
            seconds += time.perf_counter() - started
            correct += int(np.sum(guesses == labels[labelled]))
        seen += int(labelled.sum())
        skipped += int((~labelled).sum())
        if progress is not None:
            progress(seen + skipped, total)
    if not seen:
        raise ModelError(f"Expected at least one labelled sample. Received: {skipped} samples without a label")
    return Evaluation(Path(path), correct / seen, seen, correct, skipped, seconds, threads)


def _check(labels: np.ndarray, classes: int) -> None:
    wrong = labels[(labels < UNLABELLED) | (labels >= classes)]
    if len(wrong):
        raise ModelError(f"Expected labels from −1 to {classes - 1}. Received: {wrong[0]}")
