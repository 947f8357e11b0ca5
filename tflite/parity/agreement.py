"""Agreement of one output of a file with that of its Keras model, by the task that the output is of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.interpreter import largest
from tflite.model_file.tensor_spec import TensorSpec
from tflite.parity.differences import difference
from tflite.parity.task_metrics import METRICS, TASKS, task_of
from tflite.utils.record import Record
from tflite.utils.suggestions import unknown

# Operators that change no decision of a sigmoid before them.
_PASSING = ("DEQUANTIZE", "QUANTIZE", "RESHAPE")


@dataclass(frozen=True)
class OutputComparison(Record):
    """The difference between an output of a file and that of its Keras model on the same samples.

    `agreement` is, by `task`: of "classification" the share of samples with the same largest number, of "segmentation"
    that of positions; of "binary" and "multi_label" the share of decisions on the same side of `threshold`; None of
    "regression". A NaN agrees with nothing. `relative_mean_error` and `relative_max_error` are the absolute differences
    over the standard deviation of the Keras model's numbers over the samples, place by place; None where those are the
    same for all samples. `metrics` and `keras_metrics` are those of `tflite.evaluate`, where labels were given. The
    other fields are as in `Comparison`.
    """

    name: str
    task: str | None
    agreement: float | None
    mean_lsb: float | None
    max_lsb: int | None
    mean_error: float
    max_error: float
    relative_mean_error: float | None
    relative_max_error: float | None
    threshold: float | None = None
    metrics: dict[str, float] | None = None
    keras_metrics: dict[str, float] | None = None


def compare_output(
    path: Path,
    port: TensorSpec,
    answers: np.ndarray,
    expected: np.ndarray,
    *,
    task: str | None,
    threshold: float | None,
    labels: np.ndarray | None,
    sigmoid: bool,
) -> OutputComparison:
    """Compare the answers of a file, in their own type, with the numbers of a Keras model.

    Args:
        path: of the file, for messages.
        port: the output.
        answers: of the file, (n, …).
        expected: of the Keras model, (n, …).
        task: one of those of `tflite.evaluate`; where it is None, labels and outputs tell.
        threshold: of decisions; by default 0.5 after a sigmoid, else 0.
        labels: as `tflite.evaluate` takes them.
        sigmoid: whether the file's output is that of a sigmoid.

    Raises:
        ModelError: outputs of another shape, an unknown task, labels that do not fit it, or a threshold that is needed
            or of no use.
    """
    if expected.shape != answers.shape:
        raise ModelError(
            f"Expected outputs of shape {expected.shape}, as of the Keras model. "
            f"Received: {answers.shape} of {str(path)!r}"
        )
    if task is not None and task not in TASKS:
        raise ModelError(unknown("task", task, TASKS))
    received = port.dequantize(answers)
    labels = None if labels is None else np.asarray(labels)
    shape = (1, *expected.shape[1:])
    task = task or _task(labels, shape, sigmoid=sigmoid)
    decides = task in METRICS and METRICS[task].thresholded
    if threshold is not None and not decides:
        raise ModelError(
            "Expected `threshold` with the tasks binary and multi_label alone. "
            f"Received: threshold={threshold!r} with {task}"
        )
    if decides and threshold is None:
        threshold = 0.5 if sigmoid else _of_logits(expected)
    error = difference(received, expected)
    mean_lsb, max_lsb = _steps(port, answers, expected, error)
    relative_mean, relative_max = _relative(error, expected)
    return OutputComparison(
        name=port.name,
        task=task,
        agreement=_agreement(task, threshold, answers, received, expected),
        mean_lsb=mean_lsb,
        max_lsb=max_lsb,
        mean_error=float(error.mean()),
        max_error=float(error.max()),
        relative_mean_error=relative_mean,
        relative_max_error=relative_max,
        threshold=threshold,
        metrics=_metrics(task, threshold, received, labels, path),
        keras_metrics=_metrics(task, threshold, expected, labels, path),
    )


def sigmoid_outputs(content: bytes) -> tuple[bool, ...]:
    """Return whether each output of a file is that of a sigmoid, so that it holds probabilities."""
    file = Flatbuffer(content)
    producers = {tensor.index: operator for operator in file.operators for tensor in operator.outputs}
    found = []
    for tensor in file.outputs:
        operator = producers.get(tensor.index)
        while operator is not None and operator.name in _PASSING:
            operator = producers.get(operator.inputs[0].index)
        found.append(operator is not None and operator.name == "LOGISTIC")
    return tuple(found)


def _task(labels: np.ndarray | None, shape: tuple[int, ...], *, sigmoid: bool) -> str | None:
    """The task by labels and outputs; None of one number, of which nothing is known."""
    of_classes = labels is not None and labels.dtype.kind in "iu" and labels.shape[1:] == shape[1:-1]
    if labels is not None and (not of_classes or shape[-1] == 1 or len(shape) == 4):
        return task_of(labels, shape)
    if sigmoid and len(shape) == 2:
        return "binary" if shape[-1] == 1 else "multi_label"
    if shape[-1:] == (1,) or len(shape) < 2:
        return None
    return "segmentation" if len(shape) == 4 else "classification"


def _of_logits(expected: np.ndarray) -> float:
    if ((expected >= 0) & (expected <= 1) | np.isnan(expected)).all():
        raise ModelError(
            "Expected a threshold for outputs that all lie from 0 to 1 and come from no sigmoid: "
            "threshold=0.5 of probabilities, threshold=0 of logits. Received: none"
        )
    return 0.0


def _agreement(
    task: str | None, threshold: float | None, answers: np.ndarray, received: np.ndarray, expected: np.ndarray
) -> float | None:
    if task is None or task == "regression":
        return None
    if threshold is None:
        one, other = largest(answers), largest(expected)
        return float(((one == other) & (one >= 0)).mean())
    same = ((received > threshold) == (expected > threshold)) & ~np.isnan(received) & ~np.isnan(expected)
    return float(same.mean())


def _steps(
    port: TensorSpec, answers: np.ndarray, expected: np.ndarray, error: np.ndarray
) -> tuple[float | None, int | None]:
    if not port.quantized or np.isnan(error).any():
        return None, None
    steps = np.abs(answers.astype("int64") - port.quantize(expected))
    return float(steps.mean()), int(steps.max())


def _relative(error: np.ndarray, expected: np.ndarray) -> tuple[float | None, float | None]:
    spread = expected.astype("float64").std(axis=0) if np.isfinite(expected).all() else np.zeros(expected.shape[1:])
    varies = np.broadcast_to(spread > 0, error.shape)
    if not varies.any():
        return None, None
    relative = np.divide(error, spread, where=varies, out=np.zeros_like(error))[varies]
    return float(relative.mean()), float(relative.max())


def _metrics(
    task: str | None, threshold: float | None, outputs: np.ndarray, labels: np.ndarray | None, path: Path
) -> dict[str, float] | None:
    if labels is None or task is None:
        return None
    if task == "classification":
        if outputs.shape[-1] < 2:
            raise ModelError(
                f"Expected outputs (batch, …, classes) of two or more classes for the task classification. "
                f"Received: {str(path)!r} with {outputs.shape}"
            )
        return {"accuracy": _accuracy(largest(outputs), labels)}
    metrics = METRICS[task](threshold)
    expected = metrics.fits(labels, (1, *outputs.shape[1:])) if len(labels) == len(outputs) else "a row per sample"
    if expected is not None:
        raise ModelError(
            f"Expected {expected} for the task {task} of {str(path)!r}. Received: labels {labels.shape} of "
            f"{labels.dtype} and outputs {outputs.shape}"
        )
    metrics.update(outputs, labels)
    if not metrics.samples:
        raise ModelError("Expected at least one labelled sample. Received: none")
    return metrics.result()


def _accuracy(guesses: np.ndarray, labels: np.ndarray) -> float:
    """The fraction of labelled samples that are classified rightly."""
    if labels.shape != guesses.shape or labels.dtype.kind not in "iu" or not (labels >= 0).any():
        raise ModelError(
            f"Expected integer labels of shape {guesses.shape}, one at least not −1. "
            f"Received: {labels.shape} of {labels.dtype}"
        )
    return float((guesses == labels)[labels >= 0].mean())
