"""The way back from a pruned or clustered model to a plain one."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.tfmot.clustering import wrappers as clustered_layers
from tflite.tfmot.pruning import wrappers as pruned_layers

if TYPE_CHECKING:
    import keras


def plain(model: "keras.Model") -> "keras.Model":
    """The model that was pruned or clustered, as it was but for its weights: those with zeros, or of few numbers.

    Args:
        model: what `tflite.prune` or `tflite.cluster` returned, trained.

    Raises:
        ModelError: any other model.
    """
    import keras

    found = _unfinished(model) if isinstance(model, keras.Model) else []
    if len(found) != 1:
        what = repr(model.name) if isinstance(model, keras.Model) else type(model).__name__
        raise ModelError(f"Expected a model of tflite.prune or tflite.cluster. Received: {what}")
    (layer,) = found
    made = keras.models.model_from_json(layer.source)
    weights = made.get_weights()
    special = {**_masked(layer.network), **_clustered(layer.network)}
    for variable in layer.network.weights:
        place = layer.sources.get(variable.name)
        if place is not None:
            weights[place] = special.get(variable.name, variable.numpy()).astype(weights[place].dtype)
    made.set_weights(weights)
    return made


def check_plain(model: "keras.Model") -> None:
    """Raise for a model that still has masks or centroids, which are no part of a file.

    Raises:
        ModelError: such a model.
    """
    for layer in _unfinished(model):
        raise ModelError(
            f"Expected a plain model. Received: {model.name!r} of tflite.{layer.method.kind}. Use tflite.plain(model)"
        )


def _unfinished(model: "keras.Model") -> list[Any]:
    from tflite.tfmot.network import networks
    from tflite.tfmot.quantizing import Quantized

    return [layer for layer in networks(model) if not isinstance(layer.method, Quantized)]


def _masked(network: Any) -> dict[str, np.ndarray]:
    """Name of a pruned kernel → its numbers."""
    return {
        weight.name: weight.numpy() * mask.numpy()
        for layer in pruned_layers(network)
        for weight, mask, _ in layer.pruning_vars
    }


def _clustered(network: Any) -> dict[str, np.ndarray]:
    """Name of a clustered kernel → its numbers."""
    found = {}
    for layer in clustered_layers(network):
        for name, weight in layer.original_clusterable_weights.items():
            centroids = layer.cluster_centroids[name].numpy()
            nearest = layer.clustering_algorithms[name].get_pulling_indices(weight)
            found[weight.name] = centroids[nearest.numpy()]
    return found
