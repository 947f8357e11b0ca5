"""Metrics of tasks other than classification: binary, several labels, regression, segmentation."""

from abc import ABC, abstractmethod

import numpy as np

from tflite.errors import ModelError

TASKS = ("classification", "binary", "multi_label", "regression", "segmentation")
UNLABELLED = -1


class TaskMetrics(ABC):
    """Metrics of a task over batches of real outputs and labels.

    Args:
        threshold: outputs above it are a yes, where the task has such; None is 0, of logits.
    """

    thresholded = False  # whether the task parts yes from no

    def __init__(self, threshold: float | None = None):
        self.threshold = threshold
        self.samples = self.skipped = 0

    @abstractmethod
    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """None where labels (n, …) fit outputs (1, …), else what was expected, in words."""

    @abstractmethod
    def update(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Take in a batch."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """The metrics of all batches, by name."""


class _Gathered(TaskMetrics):
    """Keeps all outputs and labels to the end: rankings and means of labels need them together."""

    def __init__(self, threshold: float | None = None):
        super().__init__(threshold)
        self._outputs: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def update(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        outputs, labels = outputs.reshape(len(outputs), -1), labels.reshape(len(labels), -1)
        known = self.known(labels)
        self.samples += int(known.sum())
        self.skipped += int((~known).sum())
        self._outputs.append(outputs[known])
        self._labels.append(labels[known])

    def known(self, labels: np.ndarray) -> np.ndarray:
        """Mask (n,) of the samples that have a label."""
        return (labels != UNLABELLED).all(axis=1)

    def together(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs and labels (n, …) of all batches."""
        return np.concatenate(self._outputs), np.concatenate(self._labels)


class _Thresholded(_Gathered):
    """Parts yes from no at the threshold."""

    thresholded = True

    def guesses(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Zeros and ones for outputs (n, …); the wrong one of an output that is NaN.

        Raises:
            ModelError: no threshold was given, and the outputs may be logits or probabilities.
        """
        if self.threshold is None:
            if ((outputs >= 0) & (outputs <= 1) | np.isnan(outputs)).all():
                raise ModelError(
                    "Expected a threshold for outputs that all lie from 0 to 1 and come from no sigmoid: "
                    "threshold=0.5 of probabilities, threshold=0 of logits. Received: none"
                )
            self.threshold = 0.0
        return np.where(np.isnan(outputs), 1 - labels, outputs > self.threshold).astype(int)


class Binary(_Thresholded):
    """`accuracy` at the threshold, and `auc`, the area under the ROC curve.

    `auc` is NaN where one of the labels is missing or an output is NaN, which is never right.
    """

    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """One output, and labels of 0 and 1."""
        if outputs[1:] != (1,):
            return "one output a sample"
        return None if labels.size == len(labels) and _zeros_and_ones(labels) else "labels (n,) of 0 and 1"

    def result(self) -> dict[str, float]:
        """Accuracy and AUC."""
        from sklearn.metrics import roc_auc_score

        outputs, labels = (array[:, 0] for array in self.together())
        ranked = len(np.unique(labels)) == 2 and not np.isnan(outputs).any()
        return {
            "accuracy": float((self.guesses(outputs, labels) == labels).mean()),
            "auc": float(roc_auc_score(labels, outputs)) if ranked else float("nan"),
        }


class MultiLabel(_Thresholded):
    """`map`, the mean over labels of their average precision, and F1 at the threshold, over all and the mean of labels.

    Labels that no sample has count in none of the means. An output that is NaN is never right, and `map` is NaN then.
    """

    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """As many labels of 0 and 1 as outputs."""
        fitting = labels.ndim == 2 and labels.shape[1:] == outputs[1:] and _zeros_and_ones(labels)
        return None if fitting else f"labels (n, {outputs[-1]}) of 0 and 1"

    def result(self) -> dict[str, float]:
        """Mean average precision, micro F1 and macro F1."""
        from sklearn.metrics import average_precision_score

        outputs, labels = self.together()
        occurs = labels.any(axis=0)
        if not occurs.any():
            raise ModelError("Expected a sample with a label of 1. Received: zeros alone")
        outputs, labels = outputs[:, occurs], labels[:, occurs].astype(int)
        guesses = self.guesses(outputs, labels)
        ranked = not np.isnan(outputs).any()
        each = [average_precision_score(labels[:, i], outputs[:, i]) if ranked else np.nan for i in range(occurs.sum())]
        # scikit-learn's F1 takes a single label for two classes, and then counts the right zeros too.
        right = (guesses & labels).sum(axis=0)
        of = guesses.sum(axis=0) + labels.sum(axis=0)  # never 0: the label occurs
        return {
            "map": float(np.mean(each)),
            "f1_micro": float(2 * right.sum() / of.sum()),
            "f1_macro": float((2 * right / of).mean()),
        }


class Regression(_Gathered):
    """`mae` and `rmse`, the mean absolute error and the root of the mean squared one; a NaN marks an unknown label."""

    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """Numbers in the shape of the outputs, but for sizes of 1."""
        if _wide(labels.shape[1:]) == _wide(outputs[1:]):
            return None
        return f"labels of shape (n, {', '.join(map(str, outputs[1:]))})"

    def known(self, labels: np.ndarray) -> np.ndarray:
        """Mask of the samples without NaN."""
        return ~np.isnan(labels.astype("float64")).any(axis=1)

    def result(self) -> dict[str, float]:
        """MAE and RMSE."""
        outputs, labels = self.together()
        error = outputs.astype("float64") - labels
        return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}


class Segmentation(TaskMetrics):
    """`miou`, the mean over classes of intersection over union, and `accuracy`, the share of right positions.

    A class that neither the labels nor the outputs have counts in no mean. Positions of −1 count nowhere; one with NaN
    among its outputs is not right.
    """

    def __init__(self, threshold: float | None = None):
        super().__init__(threshold)
        self._confusion: np.ndarray | None = None

    def fits(self, labels: np.ndarray, outputs: tuple[int, ...]) -> str | None:
        """A class for each position."""
        classes = outputs[-1]
        if len(outputs) != 4 or classes < 2:
            return "outputs (batch, height, width, classes) of two or more classes"
        fitting = labels.shape[1:3] == outputs[1:3] and labels.size == len(labels) * outputs[1] * outputs[2]
        if not fitting or labels.dtype.kind not in "iu":
            return f"integer labels (n, {outputs[1]}, {outputs[2]})"
        inside = ((labels >= UNLABELLED) & (labels < classes)).all()
        return None if inside else f"labels from −1 to {classes - 1}"

    def update(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Count pairs of label and guess."""
        classes = outputs.shape[-1]
        # Masks are bytes as a rule, in which the number of a pair would wrap round.
        labels, guesses = labels.reshape(outputs.shape[:-1]).astype("int64"), outputs.argmax(-1)
        guesses[np.isnan(outputs).any(axis=-1)] = classes  # a column of its own: no class
        known = labels != UNLABELLED
        counted = np.bincount(labels[known] * (classes + 1) + guesses[known], minlength=classes * (classes + 1))
        before = 0 if self._confusion is None else self._confusion
        self._confusion = before + counted.reshape(classes, classes + 1)
        some = known.any(axis=(1, 2))
        self.samples += int(some.sum())
        self.skipped += int((~some).sum())

    def result(self) -> dict[str, float]:
        """Mean IoU and accuracy of positions."""
        assert self._confusion is not None
        right = np.diag(self._confusion)
        union = self._confusion.sum(0)[:-1] + self._confusion.sum(1) - right
        occurs = union > 0
        return {
            "miou": float((right[occurs] / union[occurs]).mean()),
            "accuracy": float(right.sum() / self._confusion.sum()),
        }


METRICS: dict[str, type[TaskMetrics]] = {
    "binary": Binary,
    "multi_label": MultiLabel,
    "regression": Regression,
    "segmentation": Segmentation,
}


def task_of(labels: np.ndarray, outputs: tuple[int, ...]) -> str:
    """The task that labels (n, …) and outputs (1, …) are of.

    >>> import numpy as np
    >>> task_of(np.array([3, 1]), (1, 10)), task_of(np.array([[0, 1, 1]]), (1, 3)), task_of(np.array([0.5]), (1, 1))
    ('classification', 'multi_label', 'regression')

    Raises:
        ModelError: they may be of several.
    """
    integers, size = labels.dtype.kind in "iub", int(np.prod(outputs[1:]))
    single = labels.size == len(labels)
    if size > 1 and labels.ndim == 2 and labels.shape[1:] == outputs[1:] and _shares(labels):
        raise ModelError(
            f"Labels {labels.shape} whose rows are shares of one, as one-hot labels are, do not tell the task. Of one "
            "class per sample hand over integers (n,), such as labels.argmax(-1); else name it: task='multi_label' or "
            "'regression'"
        )
    if len(outputs) == 4 and integers and labels.ndim >= 3:
        return "segmentation"
    if single and integers and size > 1:
        return "classification"
    if not integers and labels.size == len(labels) * size and not _zeros_and_ones(labels):
        return "regression"
    if integers and single and size == 1 and _zeros_and_ones(labels):
        return "binary"
    if integers and labels.ndim == 2 and labels.shape[1:] == outputs[1:] and _zeros_and_ones(labels):
        return "multi_label"
    raise ModelError(
        f"Labels of shape {labels.shape} and {labels.dtype} do not tell the task of a file with outputs {outputs}. "
        f"Name it: task= one of {', '.join(TASKS)}"
    )


def _shares(labels: np.ndarray) -> bool:
    """Return whether each row is a distribution over classes, one-hot or soft."""
    rows = labels.astype("float64")
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _wide(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of a shape that are not 1."""
    return tuple(size for size in shape if size != 1)


def _zeros_and_ones(labels: np.ndarray) -> bool:
    return bool(np.isin(labels, (0, 1, UNLABELLED)).all())
