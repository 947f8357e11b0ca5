"""Evaluation of files of several inputs or outputs."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.interpreter import largest
from tflite.model_file.named_runner import AnyRunner, open_runner
from tflite.model_file.tensor_spec import TensorSpec
from tflite.parity.agreement import sigmoid_outputs
from tflite.parity.results import Evaluation, OutputsEvaluation, TaskEvaluation
from tflite.parity.task_metrics import METRICS, UNLABELLED, TaskMetrics, task_of
from tflite.utils.feeds import Feed, by_name, feeds, gathered


def evaluate_several(
    path: str | Path,
    dataset: Any,
    *,
    task: str | Mapping[str, str] | None,
    threshold: float | Mapping[str, float] | None,
    threads: int,
    progress: Callable[[int, int | None], None] | None,
) -> Evaluation | TaskEvaluation | OutputsEvaluation:
    """Metrics of every output that labels are given of; arguments and errors as in `tflite.evaluate`."""
    run = open_runner(path, threads=threads)
    names = [port.name for port in run.outputs]
    tasks = by_name(task, names) if isinstance(task, Mapping) else dict.fromkeys(names, task)
    thresholds = by_name(threshold, names) if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    sigmoids = dict(zip(names, sigmoid_outputs(read_model(path)), strict=True))
    ports = dict(zip(names, run.outputs, strict=True))
    counted: dict[str, tuple[str, TaskMetrics]] = {}
    seconds, seen = 0.0, 0
    for given, labels in _labelled(dataset, run):
        wanted = by_name(labels, names)
        started = time.perf_counter()
        outputs = dict(zip(names, run(given), strict=True))
        seconds += time.perf_counter() - started
        for name, own in wanted.items():
            if name not in counted:
                chosen = tasks.get(name) or task_of(own, ports[name].shape)
                counted[name] = chosen, _metrics(chosen, thresholds.get(name), sigmoids[name], name)
            chosen, metrics = counted[name]
            _check(run.path, ports[name], chosen, metrics, own)
            metrics.update(outputs[name], own)
        seen += len(given[0])
        if progress is not None:
            progress(seen, None)
    found = {name: _result(run.path, name, *counted[name], seconds, threads) for name in names if name in counted}
    if not found:
        raise ModelError("Expected at least one labelled sample. Received: 0 samples")
    return found[names[0]] if len(names) == 1 else OutputsEvaluation(run.path, found, seen, seconds, threads)


class _Classes(TaskMetrics):
    """Counts right classes."""

    def __init__(self, threshold: float | None = None):
        super().__init__(threshold)
        self.correct = 0

    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """A class per sample."""
        if len(outputs) != 2 or outputs[-1] < 2:
            return "outputs (batch, classes) of two or more classes"
        if labels.size != len(labels) or labels.dtype.kind not in "iu":
            return "integer labels (n,)"
        inside = ((labels >= UNLABELLED) & (labels < outputs[-1])).all()
        return None if inside else f"labels from −1 to {outputs[-1] - 1}"

    def update(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Count a batch."""
        labels = labels.reshape(len(labels))
        known = labels != UNLABELLED
        self.correct += int((largest(outputs) == labels)[known].sum())
        self.samples += int(known.sum())
        self.skipped += int((~known).sum())

    def result(self) -> dict[str, float]:
        """Accuracy."""
        return {"accuracy": self.correct / self.samples}


def _labelled(dataset: Any, run: AnyRunner) -> Iterator[tuple[Feed, Any]]:
    for given, labels in gathered(feeds(dataset, [port.name for port in run.inputs], labelled=True)):
        if labels is None:
            raise ModelError("Expected samples with labels. Received: samples alone")
        yield given, labels


def _metrics(task: str, threshold: float | None, sigmoid: bool, name: str) -> TaskMetrics:
    kind: type[TaskMetrics] = METRICS.get(task, _Classes)
    if threshold is not None and not kind.thresholded:
        raise ModelError(
            f"Expected `threshold` with the tasks binary and multi_label alone. Received: threshold={threshold!r} with "
            f"{task} of {name!r}"
        )
    return kind(0.5 if threshold is None and kind.thresholded and sigmoid else threshold)


def _check(path: Path, port: TensorSpec, task: str, metrics: TaskMetrics, labels: np.ndarray) -> None:
    expected = metrics.fits(labels, port.shape)
    if expected is not None:
        raise ModelError(
            f"Expected {expected} for the task {task} of {port.name!r} of {str(path)!r}. Received: labels "
            f"{labels.shape} of {labels.dtype} and outputs {port.shape}"
        )


def _result(
    path: Path, name: str, task: str, metrics: TaskMetrics, seconds: float, threads: int
) -> Evaluation | TaskEvaluation:
    if not metrics.samples:
        raise ModelError(
            f"Expected at least one labelled sample of {name!r}. Received: {metrics.skipped} samples without a label"
        )
    found = metrics.result()  # which settles the threshold
    if isinstance(metrics, _Classes):
        return Evaluation(path, found["accuracy"], metrics.samples, metrics.correct, metrics.skipped, seconds, threads)
    return TaskEvaluation(path, task, found, metrics.samples, metrics.skipped, seconds, threads, metrics.threshold)
