"""Selection of the layers that are pruned or clustered."""

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tflite.errors import ModelError
from tflite.tfmot.library import library
from tflite.tfmot.rebuild import Rebuilt
from tflite.utils.suggestions import unknown


def selected(rebuilt: Rebuilt, kernels: Mapping[Any, list[str]], exclude: Iterable[str]) -> dict[str, Any]:
    """Name of a layer → its kernel, for the layers that have one and are not excluded.

    Args:
        rebuilt: the network.
        kernels: class of a layer → the attributes that are its kernels.
        exclude: names or patterns.

    Raises:
        ModelError: a pattern that no layer matches.
    """
    layers = {layer.name: layer for layer in rebuilt.network.layers}
    without: set[str] = set()
    for pattern in exclude:
        found = fnmatch.filter(layers, pattern)
        if not found:
            raise ModelError(unknown("exclude", pattern, layers))
        without.update(found)
    return {
        name: getattr(layer, kernels[type(layer)][0])
        for name, layer in layers.items()
        if kernels.get(type(layer)) and name not in without and layer.trainable
    }


def check_selected(chosen: Mapping[str, Any], rebuilt: Rebuilt, verb: str) -> None:
    """Raise where nothing is left.

    Raises:
        ModelError: no layer.
    """
    if not chosen:
        raise ModelError(
            f"Expected a convolution or dense layer to be {verb}. Received: {rebuilt.network.name!r}, where none is "
            "trainable, large enough and not excluded"
        )


def wrap(rebuilt: Rebuilt, chosen: Mapping[str, Any], wrapper: Callable[[Any], Any]) -> Any:
    """The network with the chosen layers wrapped, and copies of the others; with the same weights."""
    models = library().keras2.models
    # A copy is taken first: a wrapper shares the layer that it is given.
    copy = models.clone_model(rebuilt.network)
    copy.set_weights(rebuilt.network.get_weights())
    return models.clone_model(copy, clone_function=lambda layer: wrapper(layer) if layer.name in chosen else layer)
