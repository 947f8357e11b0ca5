"""Generations of one network, each taught by the one before, and the folder that keeps them."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError
from distiller.networks import fingerprint
from distiller.networks.feature_extraction import check_logits
from distiller.networks.saving import save_network
from distiller.teachers.loading import load

FIRST = "`first`"
_NAME = re.compile(r"generation-(\d+)\.(?:keras|json)")


@dataclass(frozen=True)
class Parent:
    """The teacher of a generation: "`first`" or "generation 2", and the digest of its weights."""

    name: str
    weights: str


class Lineage:
    """Networks in files `generation-K.keras`, and beside each but generation 0 its `Parent`, `generation-K.json`.

    A network is of the line only where its parent has the weights that taught it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, number: int) -> bool:
        """True where that generation is there."""
        return self._network(number).exists()

    def read(self, number: int, expected: keras.Model, parent: Parent | None) -> keras.Model:
        """The network of a generation; `parent` is what would teach it now, None for generation 0.

        Raises:
            InputError: its architecture is not that of `expected`, or another network taught it.
        """
        file = self._network(number)
        network = load(file)
        if fingerprint.architecture(network) != fingerprint.architecture(expected):
            raise InputError(
                f"The file {str(file)!r} holds another network than `build` makes now. Name another folder, or "
                "delete it"
            )
        if parent is not None:
            self._compare(number, parent)
        return network

    def write(self, number: int, network: keras.Model, parent: Parent | None) -> None:
        """Keep a generation that was trained anew: those after it are of another line now, and are removed.

        The file is whole, or not there.
        """
        for old in self.folder.iterdir():
            name = _NAME.fullmatch(old.name)
            if name and int(name[1]) >= number:
                old.unlink()
        if parent is not None:
            self._record(number).write_text(json.dumps(asdict(parent)))
        save_network(network, self._network(number))

    def check_start(self) -> None:
        """Raise InputError where generation 0 was given as `first` and is not now: all after it would be lost."""
        parent = self._parent(1) if self.has(1) and not self.has(0) else None
        if parent is not None and parent.name == FIRST:
            raise InputError(
                f"The file {str(self._network(1))!r} was taught by a network given as `first`. Give it again, name "
                "another folder, or delete the file"
            )

    def _compare(self, number: int, parent: Parent) -> None:
        file = str(self._network(number))
        stored = self._parent(number)
        if stored is None:
            raise InputError(
                f"The file {str(self._record(number))!r} is missing or damaged: it says what taught {file!r}. Name "
                "another folder, or delete the generation, which is then trained anew"
            )
        if stored.weights != parent.weights:
            given = "Give the network that taught it, name" if parent.name == FIRST else "Name"
            raise InputError(
                f"The file {file!r} was taught by another network than {parent.name}: one with weights of digest "
                f"{stored.weights}, and those of {parent.name} have {parent.weights}. {given} another folder, or "
                "delete the file, and the generation is trained anew"
            )

    def _parent(self, number: int) -> Parent | None:
        try:
            return Parent(**json.loads(self._record(number).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _network(self, number: int) -> Path:
        return self.folder / f"generation-{number}.keras"

    def _record(self, number: int) -> Path:
        return self.folder / f"generation-{number}.json"


@dataclass(frozen=True)
class Generation:
    """A trained network and its accuracy on the validation images, a fraction."""

    network: keras.Model
    accuracy: float


def born_again(
    build: Callable[[int], keras.Model],
    fit: Callable[[keras.Model, keras.Model | None, int], Any],
    generations: int,
    validation: tuple[np.ndarray, np.ndarray],
    *,
    first: keras.Model | None = None,
    folder: str | Path | None = None,
) -> list[Generation]:
    """Train a network from the labels, then `generations` more, each from the one before: born-again networks.

    Furlanello et al. 2018, 1805.04770: with generation k's network f_k, a new one of the same architecture and other
    initial weights minimizes loss(labels, f_{k+1}) + loss(f_k, f_{k+1}), and may become better than f_k. One generation
    from a trained `first` is the self-training of Yuan et al. 2020, 1909.11723 (Tf-KD_self). The mean of all
    generations is the paper's ensemble: `teachers.ensemble([g.network for g in found], classes)`.

    Args:
        build: makes the network of a generation, of its number: a name or a seed may depend on it.
        fit: trains, in place, a student from a teacher, None for generation 0; it is given both and the number.
        generations: how many have a teacher, at least 1.
        validation: images (n, h, w, c) and labels (n,) or (n, 1), −1 where unknown, for the accuracies; nothing is
            chosen by it.
        first: generation 0, trained already.
        folder: where each generation is kept as `generation-K.keras` once it is trained, with what taught it beside
            it. Those that are there are read, and the work goes on after them; the files of generations after one
            that is trained anew are removed.

    Returns:
        generations + 1 networks with their accuracies, the first without a teacher.

    Raises:
        InputError: fewer generations than 1, no labelled images, not one label an image, a network that returns no
            logits, or a folder with another network than `build` makes or one that another network taught.

    >>> import keras
    >>> import numpy as np
    >>> from distiller import Distiller
    >>> from distiller.teachers import born_again
    >>> x, y = np.eye(3, dtype="float32"), np.arange(3)
    >>> def build(number):
    ...     return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    >>> def fit(student, teacher, number):
    ...     taught = Distiller(teacher=teacher, student=student, objectives={"soft": "hinton"}) if teacher else student
    ...     taught.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ...     taught.fit(x, y, verbose=0)
    >>> len(born_again(build, fit, 1, (x, y)))
    2
    """
    if generations < 1:
        raise InputError(f"Invalid value for `generations`. Expected 1 or more. Received: generations={generations}")
    images, labels = validation[0], _one_each(validation[1], len(validation[0]))
    if not (labels >= 0).any():
        raise InputError("Expected labelled validation images. Received: none")
    kept = None if folder is None else Lineage(folder)
    found: list[Generation] = []
    for number in range(generations + 1):
        if number == 0 and first is not None:
            network = first
        else:
            network = build(number)
            check_logits(network, role="student")
            teacher = found[-1].network if found else None
            if kept is None:
                fit(network, teacher, number)
            else:
                network = _kept(kept, network, teacher, number, fit, given=number == 1 and first is not None)
        found.append(Generation(network, _accuracy(network, images, labels)))
    return found


def _kept(
    kept: Lineage,
    network: keras.Model,
    teacher: keras.Model | None,
    number: int,
    fit: Callable[[keras.Model, keras.Model | None, int], Any],
    *,
    given: bool,
) -> keras.Model:
    """The generation as it is kept, or `network`, trained and kept now."""
    parent = None
    if teacher is None:
        kept.check_start()
    else:  # before a training that might change it
        parent = Parent(FIRST if given else f"generation {number - 1}", fingerprint.weights(teacher))
    if kept.has(number):
        return kept.read(number, network, parent)
    fit(network, teacher, number)
    kept.write(number, network, parent)
    return network


def _one_each(labels: np.ndarray, images: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape not in ((images,), (images, 1)):
        raise InputError(
            f"Expected a label for each of the {images} validation images, ({images},). Received: labels of shape "
            f"{labels.shape}"
        )
    return labels.reshape(-1)


def _accuracy(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    known = labels >= 0
    answers = network.predict(images[known], batch_size=256, verbose=0)
    return float(np.mean(answers.argmax(-1) == labels[known]))
