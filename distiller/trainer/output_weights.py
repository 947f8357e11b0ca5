"""Weights of samples by output, in the structure that Keras asks of arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError
from distiller.trainer.targets import LABELS
from distiller.utils.suggestions import unknown


def completed(y: Any, weights: Any, outputs: Sequence[str]) -> Any:
    """Weights with an array for every part of `y`, where they are by output; anything else as it is.

    Keras takes no weights that leave an output out, or the ids beside the labels. What is left out weighs 1.

    Args:
        y: labels by output, as a dict or list, or a dict with such "labels"; or None, where a dataset has them.
        weights: a dict by output, or a list of those of all; as "labels" of a dict too.
        outputs: their names.

    Raises:
        InputError: weights of an output that has no labels.
    """
    if isinstance(weights, Mapping) and LABELS in weights:
        weights = weights[LABELS]
    if not isinstance(weights, Mapping | list | tuple) or not isinstance(y, Mapping | list | tuple):
        return weights
    labels = y[LABELS] if isinstance(y, Mapping) and LABELS in y else y
    names = list(labels) if isinstance(labels, Mapping) else list(outputs)
    if not isinstance(weights, Mapping):
        weights = dict(zip(outputs, weights, strict=False))
    if other := [name for name in weights if name not in names]:
        raise InputError(unknown("output with weights", other[0], names))
    ones = np.ones(len(keras.tree.flatten(y)[0]), "float32")
    given = {name: ones if weights.get(name) is None else weights[name] for name in names}
    found = given if isinstance(labels, Mapping) else type(labels)(given.values())
    if labels is y or not isinstance(y, Mapping):
        return found
    return {key: found if key == LABELS else keras.tree.map_structure(lambda _: ones, part) for key, part in y.items()}
