"""Weights of a layer in a copy of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite.keras_graph.internals import flatten_layers


def take_weights(layer: Any, weights: Sequence[np.ndarray]) -> None:
    """Set the weights of a layer, and what it computes of them beforehand.

    A `Normalization` that was adapted keeps its statistics as weights and computes with constants made of them, which
    Keras makes anew only when it loads a file.
    """
    import keras

    layer.set_weights(weights)
    for one in flatten_layers(layer):
        if isinstance(one, keras.layers.Normalization):
            one.finalize_state()
