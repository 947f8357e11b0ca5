"""Generations of one network, each taught by the one before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError
from distiller.taps import check_logits
from distiller.teachers import fingerprint
from distiller.teachers.loading import load


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
    initial weights minimises loss(labels, f_{k+1}) + loss(f_k, f_{k+1}), and may become better than f_k. One generation
    from a trained `first` is the self-training of Yuan et al. 2020, 1909.11723 (Tf-KD_self). The mean of all
    generations is the paper's ensemble: `teachers.ensemble([g.network for g in found], classes)`.

    Args:
        build: makes the network of a generation, of its number: a name or a seed may depend on it.
        fit: trains, in place, a student from a teacher, None for generation 0; it is given both and the number.
        generations: how many have a teacher, at least 1.
        validation: images (n, h, w, c) and labels (n,), −1 where unknown, for the accuracies; nothing is chosen by it.
        first: generation 0, trained already.
        folder: where each generation is kept as `generation-K.keras` once it is trained. Those that are there are
            read, and the work goes on after them.

    Returns:
        generations + 1 networks with their accuracies, the first without a teacher.

    Raises:
        InputError: fewer generations than 1, no labelled images, a network that returns no logits, or a folder with
            another network than `build` makes.

    >>> from distiller import Distiller
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
    if not (np.asarray(validation[1]) >= 0).any():
        raise InputError("Expected labelled validation images. Received: none")
    if folder is not None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
    found: list[Generation] = []
    resumed = True
    for number in range(generations + 1):
        if number == 0 and first is not None:
            network = first
        else:
            file = folder / f"generation-{number}.keras" if folder else None
            # After a generation that is trained anew, the files of the later ones are of others.
            resumed = bool(resumed and file and file.exists())
            network = build(number)
            check_logits(network, role="student")
            if file and resumed:
                network = _read(file, network)
            else:
                fit(network, found[-1].network if found else None, number)
                if file:
                    _write(file, network)
        found.append(Generation(network, _accuracy(network, *validation)))
    return found


def _read(file: Path, expected: keras.Model) -> keras.Model:
    network = load(file)
    if fingerprint.architecture(network) != fingerprint.architecture(expected):
        raise InputError(
            f"The file {str(file)!r} holds another network than `build` makes now. Name another folder, or delete it"
        )
    return network


def _write(file: Path, network: keras.Model) -> None:
    """The file is whole, or not there."""
    scratch = file.with_name(f"{file.stem}.part.keras")
    network.save(scratch)
    scratch.replace(file)


def _accuracy(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    known = np.asarray(labels) >= 0
    answers = network.predict(images[known], batch_size=256, verbose=0)
    return float(np.mean(answers.argmax(-1) == labels[known]))
