"""Results of `tflite.evaluate`."""

from dataclasses import dataclass
from pathlib import Path

from tflite.utils.record import Record


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


@dataclass(frozen=True)
class TaskEvaluation(Record):
    """Metrics of a TFLite file on a task other than classification.

    `metrics` are, by `task`: "binary" `accuracy` and `auc`; "multi_label" `map`, `f1_micro`, `f1_macro`; "regression"
    `mae` and `rmse`, in the unit of the labels; "segmentation" `miou` and `accuracy`. An output that is NaN is never
    right, and makes `auc`, `map`, `mae` and `rmse` NaN. `threshold` is what outputs of a yes are above; None where the
    task has none. The other fields are as in `Evaluation`.
    """

    path: Path
    task: str
    metrics: dict[str, float]
    samples: int
    skipped: int
    seconds: float
    threads: int
    threshold: float | None = None


@dataclass(frozen=True)
class OutputsEvaluation(Record):
    """Accuracies and metrics of a TFLite file of several outputs.

    `outputs` has an `Evaluation` or a `TaskEvaluation` for each output that labels were given of, by its name. The
    other fields are as in `Evaluation`.
    """

    path: Path
    outputs: dict[str, Evaluation | TaskEvaluation]
    samples: int
    seconds: float
    threads: int
