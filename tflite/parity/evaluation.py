"""Accuracy of a TFLite file."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.interpreter import Runner, largest
from tflite.parity.agreement import sigmoid_outputs
from tflite.parity.results import Evaluation, OutputsEvaluation, TaskEvaluation
from tflite.parity.several import evaluate_several
from tflite.parity.task_metrics import METRICS, TASKS, UNLABELLED, task_of
from tflite.utils import samples
from tflite.utils.suggestions import unknown


@overload
def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    task: Literal["classification"],
    threshold: float | None = ...,
    threads: int = ...,
    progress: "Progress" = ...,
) -> Evaluation: ...


@overload
def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    task: str | Mapping[str, str] | None = ...,
    threshold: float | Mapping[str, float] | None = ...,
    threads: int = ...,
    progress: "Progress" = ...,
) -> Evaluation | TaskEvaluation | OutputsEvaluation: ...


def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    task: str | Mapping[str, str] | None = None,
    threshold: float | Mapping[str, float] | None = None,
    threads: int = 1,
    progress: Callable[[int, int | None], None] | None = None,
) -> Evaluation | TaskEvaluation | OutputsEvaluation:
    """Accuracy of a TFLite classifier on images with labels, or the metrics of another task.

    Args:
        path: TFLite file with outputs that are scores (batch, classes); a logit or probability (batch, 1); one a label
            (batch, labels); numbers (batch, …); or scores (batch, height, width, classes).
        dataset: (images, labels) as arrays, a Keras `PyDataset`, or an iterable of such batches, `tf.data` too. Images
            are (n, height, width, channels), pixels in [0, 255], or real numbers in the unit of the model. Pixels are
            scaled as the file's metadata or its quantized input says; see `tflite.scaling`. Labels are integers (n,),
            −1 for a sample to skip; of several labels 0 and 1, (n, labels); of a regression numbers, NaN to skip; of a
            segmentation a class for each position, (n, height, width), −1 to skip. A sample of several labels or
            numbers of which one is not known is skipped whole. Several inputs are {name: array} or a list of arrays in
            the order of the file; of several outputs {name: labels}, of some of them at least, or a list of labels.
        task: "classification", "binary", "multi_label", "regression" or "segmentation"; where it is None, shape and
            kind of the first labels tell. Of several outputs {name: task}, or one for all.
        threshold: outputs above it are a yes, of "binary" and "multi_label"; by default 0.5 of a file that ends in a
            sigmoid, and 0 of logits. Of several outputs {name: threshold}, or one for all.
        threads: of the interpreter.
        progress: called with the samples done and those in all, or None where that is not known.

    Returns:
        An `Evaluation` of a classification, else a `TaskEvaluation`; of several outputs an `OutputsEvaluation`.

    Raises:
        ModelError: a file that cannot be run, images or labels that do not fit it, numbers of another unit than the
            file's input stands for, no labelled sample, labels that may be of several tasks, or outputs that may be
            logits or probabilities.
    """
    for one in task.values() if isinstance(task, Mapping) else (task,):
        if one is not None and one not in TASKS:
            raise ModelError(unknown("task", one, TASKS))
    file = Flatbuffer(read_model(path))
    if len(file.inputs) > 1 or len(file.outputs) > 1 or isinstance(task, Mapping) or isinstance(threshold, Mapping):
        return evaluate_several(path, dataset, task=task, threshold=threshold, threads=threads, progress=progress)
    run = Runner(path, threads=threads)
    total = samples.count(dataset)
    stream = samples.gathered(samples.batches(dataset, of_classes=task == "classification"))
    first = next(stream, None)
    if first is None:
        raise ModelError("Expected at least one labelled sample. Received: 0 samples")
    if first[1] is None:
        raise ModelError("Expected images with labels. Received: images alone")
    task = task or task_of(first[1], run.output.shape)
    if threshold is not None and (task not in METRICS or not METRICS[task].thresholded):
        raise ModelError(
            f"Expected `threshold` with the tasks binary and multi_label alone. Received: threshold={threshold!r} with "
            f"{task}"
        )
    whole = itertools.chain([first], stream)
    if task != "classification":
        return _of_task(run, task, threshold, whole, total, threads, progress)
    return _of_classes(run, whole, total, threads, progress)


Stream = Iterable[tuple[np.ndarray, np.ndarray | None]]
Progress = Callable[[int, int | None], None] | None


def _of_task(
    run: Runner,
    task: str,
    threshold: float | None,
    stream: Stream,
    total: int | None,
    threads: int,
    progress: Progress,
) -> TaskEvaluation:
    if threshold is None and METRICS[task].thresholded and sigmoid_outputs(read_model(run.path))[0]:
        threshold = 0.5
    metrics = METRICS[task](threshold)
    seconds = 0.0
    for images, labels in stream:
        if labels is None:
            raise ModelError("Expected images with labels. Received: images alone")
        expected = metrics.fits(labels, run.output.shape)
        if expected is not None:
            raise ModelError(
                f"Expected {expected} for the task {task} of {str(run.path)!r}. Received: labels {labels.shape} of "
                f"{labels.dtype} and outputs {run.output.shape}"
            )
        started = time.perf_counter()
        outputs = run(images)
        seconds += time.perf_counter() - started
        metrics.update(outputs, labels)
        if progress is not None:
            progress(metrics.samples + metrics.skipped, total)
    if not metrics.samples:
        raise ModelError(f"Expected at least one labelled sample. Received: {metrics.skipped} samples without a label")
    found = metrics.result()  # which settles the threshold
    return TaskEvaluation(run.path, task, found, metrics.samples, metrics.skipped, seconds, threads, metrics.threshold)


def _of_classes(run: Runner, stream: Stream, total: int | None, threads: int, progress: Progress) -> Evaluation:
    path = run.path
    if len(run.output.shape) != 2:
        raise ModelError(
            f"Expected a classifier with outputs (batch, classes). Received: {str(path)!r} with {run.output.shape}"
        )
    classes = run.classes()
    correct = seen = skipped = 0
    seconds = 0.0
    for images, labels in stream:
        if labels is None:
            raise ModelError("Expected images with labels. Received: images alone")
        labels = labels[:, 0] if labels.shape == (len(images), 1) else labels
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise ModelError(
                f"Expected as many integer labels as images. Received: images {images.shape}, "
                f"labels {labels.shape} of {labels.dtype}"
            )
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
    return Evaluation(path, correct / seen, seen, correct, skipped, seconds, threads)


def _check(labels: np.ndarray, classes: int) -> None:
    wrong = labels[(labels < UNLABELLED) | (labels >= classes)]
    if len(wrong):
        raise ModelError(f"Expected labels from −1 to {classes - 1}. Received: {wrong[0]}")
