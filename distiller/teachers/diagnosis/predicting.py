"""The logits that a network gives to images and to random views of them."""

from collections.abc import Callable

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS, tap
from distiller.objectives.probabilities import refuse_probabilities
from distiller.teachers.caching.predictions import answers

_BATCH = 256


class Asked:
    """A network with one output of logits (batch, classes), whatever else it is.

    Args:
        model: functional, Sequential, or subclassed as `distiller.networks.feature_extraction.tap` takes it.
        role: "teacher" or "student", for the messages.
        step: called with the number of images after each batch.

    Raises:
        InputError: `model` has no logits, or more than one input or output.
    """

    def __init__(self, model: keras.Model, role: str, step: Callable[[int], None]):
        self._network = tap(model, (), role=role)
        self._role, self._step = role, step
        shapes = {name: tuple(output.shape) for name, output in self._network.output.items()}
        if len(shapes.get(LOGITS, ())) != 2:
            raise InputError(f"Expected the {role} to have one output of shape (batch, classes). Received: {shapes}")
        if len(self._network.inputs) != 1:
            raise InputError(f"Expected the {role} to have one input. Received: {len(self._network.inputs)}")
        self._fits = tuple(self._network.inputs[0].shape[1:])
        self.classes = shapes[LOGITS][1]

    def logits(self, split: Split) -> np.ndarray:
        """Logits (n, classes) of the images as they are."""
        return self.views(split, Augmentation(), 0, 1)[0]

    def views(self, split: Split, augmentation: Augmentation, seed: int, draws: int) -> np.ndarray:
        """Logits (draws, n, classes) of random views: those of passes 0, 1, … of a training with this seed.

        Raises:
            InputError: images that the network does not take, or logits that are not finite.
        """
        given = split.images.shape[1:]
        if len(given) != len(self._fits) or any(a not in (None, b) for a, b in zip(self._fits, given, strict=True)):
            raise InputError(
                f"Expected images {('n', *self._fits)} for the {self._role}. Received: {split.images.shape}"
            )
        parts = []
        for turn in range(draws):
            views = augmentation.draws(seed, turn, len(split))
            for found in answers(self._network, split, augmentation, views, range(len(split)), _BATCH):
                parts.append(found[LOGITS])
                self._step(len(found[LOGITS]))
        logits = np.concatenate(parts)
        refuse_probabilities(logits, self._role)
        broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(broken):
            raise InputError(
                f"Expected finite logits of the {self._role}. "
                f"Received: NaN or infinity for {len(broken)} of {len(logits)} images, first for image {broken[0]}"
            )
        return logits.reshape(draws, len(split), self.classes)
