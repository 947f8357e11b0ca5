"""Is this teacher fit to teach?"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import UNLABELLED, Split
from distiller.errors import InputError
from distiller.teachers.diagnosis import checks, gap, soft_targets
from distiller.teachers.diagnosis.by_class import ClassAccuracy, by_class
from distiller.teachers.diagnosis.calibration import Calibration, calibrate
from distiller.teachers.diagnosis.concerns import concerns
from distiller.teachers.diagnosis.mutual_information import Information, between_pairs, choose
from distiller.teachers.diagnosis.predicting import Asked
from distiller.teachers.diagnosis.smoothing import Smoothing, score
from distiller.teachers.diagnosis.soft_targets import SoftTargets
from distiller.utils.chance import chance

_CLASSES = 10  # 45 pairs


@dataclass(frozen=True)
class Diagnosis:
    """All that is known of a teacher before it teaches.

    `accuracy` is a fraction of the `labelled` among `samples` images. `by_class` has the weakest classes first. `gap`
    is None without a student. `concerns` says in plain words what speaks against this teacher, and what to do about
    it; it is empty where nothing does. `views` and `seed` repeat the mutual information.
    """

    teacher: str
    classes: int
    samples: int
    labelled: int
    accuracy: float
    mutual_information: Information
    smoothing: Smoothing
    calibration: Calibration
    soft_targets: SoftTargets
    gap: gap.Gap | None
    by_class: tuple[ClassAccuracy, ...]
    concerns: tuple[str, ...]
    views: Augmentation
    seed: int

    def to_json(self) -> str:
        """The fields as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def diagnose(
    teacher: keras.Model,
    data: Split | tuple[np.ndarray, np.ndarray],
    *,
    student: keras.Model | None = None,
    classes: Sequence[str] | None = None,
    augmentation: Augmentation | None = None,
    examples: int = 60,
    draws: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], Any] | None = None,
) -> Diagnosis:
    """Look at a teacher's answers to images it was not trained on, and say what a student can learn from them.

    Args:
        teacher: network with one output of logits (batch, classes).
        data: images (n, height, width, channels) and integer labels (n,); −1 marks a sample without a label, which
            counts for the entropy of the soft targets alone. Not the test split: a teacher is chosen by what it shows.
        student: network to compare with; its accuracy is given where it has as many classes and is above chance.
        classes: their names, for the weakest ones.
        augmentation: the random views for the mutual information; by default a shift by an eighth of the height.
            Those that the teacher was trained with are the right ones.
        examples: of each pair of classes, N; fewer where they have fewer. The mutual information is averaged over all
            pairs of ten classes drawn by `seed`.
        draws: views of each example, L.
        seed: of these classes and of the views.
        progress: called with the number of images done and of all.

    Raises:
        InputError: a teacher without logits, images or labels of other shapes, labels out of range, fewer than two
            samples or classes, logits that are not finite, or options that are too small.

    >>> import numpy as np
    >>> from distiller.teachers import diagnose
    >>> import keras
    >>> teacher = keras.Sequential([keras.Input((2, 1, 1)), keras.layers.Flatten()])
    >>> images = np.random.default_rng(0).normal(size=(40, 2, 1, 1))
    >>> diagnose(teacher, (images, images[:, :, 0, 0].argmax(1))).accuracy
    1.0
    """
    split = checks.as_split(data)
    count = _Counter(progress)
    asked = Asked(teacher, "teacher", count.step)
    names = checks.check_names(classes, asked.classes)
    checks.check_labels(split.labels, len(names))
    if examples < 2 or draws < 2:
        raise InputError(f"Expected 2 or more examples and draws. Received: examples={examples}, draws={draws}")
    views = augmentation or Augmentation(crop=max(1, split.images.shape[1] // 8))
    if views == Augmentation():
        raise InputError("Expected an augmentation that changes images. Received: Augmentation(crop=0, flip=False)")
    chosen = split.take(choose(split.labels, _CLASSES, examples, seed))
    pupil = None if student is None else Asked(student, "student", count.step)
    comparable = pupil is not None and pupil.classes == asked.classes
    count.total = (2 if comparable else 1) * len(split) + draws * len(chosen)

    logits = asked.logits(split)
    information = between_pairs(asked.views(chosen, views, seed, draws), chosen.labels)
    answered = pupil.logits(split) if pupil is not None and comparable else None
    labelled = split.labels != UNLABELLED
    known, labels = logits[labelled], split.labels[labelled]
    accuracy = _accuracy(known, labels)
    smoothing = score(known, labels)
    calibration = calibrate(known, labels)
    by_chance, weakest = chance(labels, len(names)), by_class(known, labels, names)
    between = None
    if student is not None:
        reached = None if answered is None else _accuracy(answered[labelled], labels)
        between = gap.compare(teacher, accuracy, student, reached, by_chance, len(labels))
    return Diagnosis(
        teacher=teacher.name,
        classes=len(names),
        samples=len(split),
        labelled=len(labels),
        accuracy=accuracy,
        mutual_information=information,
        smoothing=smoothing,
        calibration=calibration,
        soft_targets=soft_targets.describe(logits, smoothing.verdict),
        gap=between,
        by_class=weakest,
        concerns=concerns(
            accuracy, by_chance, len(labels), weakest, len(names), information, smoothing, calibration, between
        ),
        views=views,
        seed=seed,
    )


class _Counter:
    """Tells how many images of all are done."""

    def __init__(self, progress: Callable[[int, int], Any] | None):
        self.progress, self.done, self.total = progress, 0, 0

    def step(self, images: int) -> None:
        self.done += images
        if self.progress:
            self.progress(self.done, self.total)


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float((logits.argmax(axis=-1) == labels).mean())
