"""Messages before a training begins: the teacher's accuracy, and whether the student is lighter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from distiller import models
from distiller.data import Split
from distiller.runs.building import logits, share_right
from distiller.utils.chance import USUAL_CAUSE, better_than_chance, chance, may_be_chance

# Held-out images that a teacher answers at the most.
MOST = 512
# Of images that a teacher is right for in some order of the classes: one that knows nothing reaches a good part too.
_MOSTLY = 0.6
# What networks from elsewhere take in place of raw pixels.
_SCALINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "divided by 255": lambda pixels: pixels / 255,
    "scaled to −1 … 1": lambda pixels: pixels / 127.5 - 1,
    "divided by 255 and standardised with ImageNet's mean and deviation": lambda pixels: (
        (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    ),
    "in the order blue, green, red, less ImageNet's mean": lambda pixels: (
        pixels[..., ::-1] - [103.939, 116.779, 123.68]
    ),
}


@dataclass(frozen=True)
class HeldOut:
    """A teacher on images that were held out of the training: fractions of so many, and why it is no better."""

    accuracy: float
    chance: float
    images: int
    cause: str | None = None

    @property
    def sentence(self) -> str:
        """Sentence shown before the training."""
        found = (
            f"The teacher is right for {self.accuracy:.1%} of {self.images:,} held-out images "
            f"(chance: {self.chance:.1%})"
        )
        return f"{found}. That cannot be told from chance. {self.cause}" if self.cause else found


def held_out(teacher: keras.Model, split: Split, classes: Sequence[str]) -> HeldOut:
    """Accuracy of `teacher` on labelled images of its own classes, and the likely cause where that is chance.

    The usual one is looked for: pixels scaled in another way than the network's, or classes in another order.
    """
    some = split.some(MOST)
    answers, by_chance = logits(teacher, some), chance(some.labels, len(classes))
    accuracy = share_right(answers, some)
    if not may_be_chance(accuracy, by_chance, len(some)):
        return HeldOut(accuracy, by_chance, len(some))
    cause = _scaling(teacher, some, by_chance) or _order(answers, some, classes) or USUAL_CAUSE
    return HeldOut(accuracy, by_chance, len(some), cause)


def _scaling(teacher: keras.Model, split: Split, by_chance: float) -> str | None:
    """The way of scaling with which the teacher is right, where there is one."""
    reached = {}
    for name, scale in _SCALINGS.items():
        if split.images.shape[-1] != 3 and "ImageNet" in name:
            continue
        pixels = scale(split.images.astype("float32")).astype("float32")
        answers = teacher.predict(pixels, batch_size=256, verbose=0)
        reached[name] = share_right(answers, split)
    best = max(reached, key=lambda name: reached[name])
    if not better_than_chance(reached[best], by_chance, len(split)):
        return None
    return (
        f"With pixels {best} it is right for {reached[best]:.1%}: its scaling was left outside of the network. "
        "Make it the first layer, such as Rescaling, and save the teacher again: it takes raw pixels, 0 to 255"
    )


def _order(answers: np.ndarray, split: Split, classes: Sequence[str]) -> str | None:
    """The order of classes in which the teacher is right for most images, where there is one."""
    counts = np.zeros((answers.shape[-1], len(classes)), int)
    np.add.at(counts, (answers.argmax(-1), split.labels), 1)
    meant, share = counts.argmax(-1), counts.max(-1).sum() / len(split)
    order = list(range(len(classes)))
    if list(meant) == order or sorted(meant) != order or share < _MOSTLY:
        return None
    return (
        f"With its classes in another order it is right for {share:.1%}. "
        f"Name them in the teacher's order: --classes {','.join(classes[place] for place in meant)}"
    )


def heavier(teacher: keras.Model, student: keras.Model, image_shape: tuple[int, int, int], classes: int) -> str | None:
    """A sentence where a student has more parameters or multiply-adds than its teacher, with what would be lighter."""
    of_teacher, of_student = (_cost(network, image_shape) for network in (teacher, student))
    words = []
    if of_student[0] > of_teacher[0] > 0:  # of a teacher of another framework nothing is known
        words.append(f"{of_student[0]:,} parameters against {of_teacher[0]:,}")
    if of_student[1] and of_teacher[1] and of_student[1] > of_teacher[1]:
        words.append(
            f"{of_student[1] / of_teacher[1]:.2g} times the multiply-adds ({of_student[1]:,} against {of_teacher[1]:,})"
        )
    if not words:
        return None
    lighter = [name for name in _SMALL if name != student.name and _is_lighter(name, of_teacher, image_shape, classes)]
    advice = f"Lighter than the teacher: {', '.join(lighter)}" if lighter else "No student of the zoo is lighter"
    return f"The student {student.name} is heavier than its teacher: {' and '.join(words)}. {advice}"


# Students of the zoo from which a lighter one may be chosen.
_SMALL = ("resnet8", "resnet20", "mobilenet_v2")


def _cost(network: keras.Model, image_shape: tuple[int, int, int]) -> tuple[int, int | None]:
    return models.parameters(network), models.multiply_adds(network, image_shape)


def _is_lighter(name: str, than: tuple[int, int | None], image_shape: tuple[int, int, int], classes: int) -> bool:
    weights, products = _cost(models.build(name, classes, image_shape), image_shape)
    return weights < than[0] and (than[1] is None or products is None or products < than[1])
