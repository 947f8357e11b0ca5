"""Batch normalization and other layers of a scale and a shift for each channel."""

from typing import Any

import numpy as np

from tflite.keras_graph.graph import Call, Graph


def scale_and_shift(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """The a and b of a layer that computes a·x + b, float64: one for each channel, or one for all."""
    import keras

    if isinstance(layer, keras.layers.Rescaling):
        return np.asarray(layer.scale, "float64"), np.asarray(layer.offset, "float64")
    if isinstance(layer, keras.layers.Normalization):
        mean, variance = (np.ravel(_array(part)) for part in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    factor = 1 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        factor = factor * _array(layer.gamma)
    shift = -_array(layer.moving_mean) * factor
    return factor, shift + _array(layer.beta) if layer.center else shift


def norm_after(graph: Graph, call: Call) -> Call | None:
    """The batch normalisation that alone takes the result of a call."""
    import keras

    after = graph.consumers().get(call.output, [])
    if len(after) == 1 and after[0] is not None and isinstance(after[0].kind, keras.layers.BatchNormalization):
        return after[0]
    return None


def _array(variable: Any) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(variable).astype("float64")
