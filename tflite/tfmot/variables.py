"""Variables of a Keras 2 network as variables of Keras 3."""

import re
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tflite.keras_graph.internals import OverStorage
from tflite.tfmot.pixels import INPUT
from tflite.tfmot.rebuild import Rebuilt

if TYPE_CHECKING:
    from collections.abc import Set


class Adopted(OverStorage, keras.Variable):
    """A Keras 3 variable that is a TensorFlow variable someone else made: what either assigns, both have."""

    def __init__(self, variable: Any, *, name: str, trainable: bool):
        self._storage = variable
        zeros = np.zeros(variable.shape, variable.dtype.as_numpy_dtype)
        super().__init__(zeros, dtype=variable.dtype.name, trainable=trainable, autocast=False, name=name)


def adopted(network: Any, made: Rebuilt, model: "keras.Model", *, frozen: "Set[str]") -> list[Adopted]:
    """Keras 3 variables for all those of a network, in their order.

    Those that copy a variable of the model are trained, regularized and constrained as that one is.

    Args:
        network: the `tf_keras.Model`, which may have more variables than the model.
        made: what it was made of.
        model: that `made` was rebuilt from.
        frozen: names of variables that are not trained, whatever Keras 2 says.
    """
    trained = {id(variable) for variable in network.trainable_variables}
    constants = tuple(f"{name}/" for name in made.rescaling)
    found: list[Adopted] = []
    names: set[str] = set()
    for variable in network.weights:
        trainable = id(variable) in trained and variable.name not in frozen and not variable.name.startswith(constants)
        place = made.sources.get(variable.name)
        if place is None:
            found.append(Adopted(variable, name=_unique(variable.name, names), trainable=trainable))
            continue
        source = model.weights[place]
        own = Adopted(variable, name=_unique(variable.name, names), trainable=trainable and source.trainable)
        own.regularizer, own.constraint = source.regularizer, source.constraint
        found.append(own)
    return found


def _unique(name: str, taken: set[str]) -> str:
    """A name without the characters that Keras 3 has for paths, and without the number of a layer in the process."""
    base = re.sub(r"\bquantize_layer_\d+", INPUT, name.removesuffix(":0")).replace("/", ".")
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}_{number}"
    taken.add(found)
    return found
