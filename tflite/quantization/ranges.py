"""The ranges of activations: measured without training."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.interface import interface, structured
from tflite.keras_graph.internals import flatten_layers
from tflite.quantization.checks import is_aware
from tflite.utils import samples
from tflite.utils.feeds import feeds

if TYPE_CHECKING:
    import keras


def calibrate_ranges(aware: "keras.Model", images: Any) -> None:
    """Measure the ranges of activations on images: the smallest and the largest number of each, and of before.

    Weights and batch statistics stay as they are. A training that follows goes on from these ranges.

    Args:
        aware: a quantization-aware model.
        images: an array (n, height, width, channels), an iterable of batches, with labels or without, or a function
            that returns what TFLite's own converter takes, [batch] or {name: batch}. Of several inputs {name: array}, a
            list of arrays in their order, (inputs, labels), or batches of these.

    Raises:
        ModelError: a model that is not quantization-aware, or no images.
    """
    check_ranges(aware)
    layers = fake_quants(aware)
    for layer in layers:
        layer.measuring = True
    count = 0
    try:
        for parts in _batches(aware, images):
            if not all(np.isfinite(part).all() for part in parts):
                raise ModelError("Expected finite images to measure ranges on. Received: NaN or infinity")
            given = [part.astype("float32") for part in parts]
            aware(given[0] if len(given) == 1 else structured(aware, given), training=False)
            count += len(parts[0])
    finally:
        for layer in layers:
            layer.measuring = False
    if not count:
        raise ModelError("Expected images to measure ranges on. Received: none")


def _batches(aware: "keras.Model", images: Any) -> Iterator[list[np.ndarray]]:
    """An array for each input, batch by batch."""
    if len(getattr(aware, "inputs", ())) > 1:
        yield from (parts for parts, _ in feeds(images, interface(aware).inputs, labelled=False))
    else:
        yield from ([part] for part, _ in samples.batches(images, labelled=False))


def check_ranges(model: "keras.Model") -> None:
    """Raise ModelError unless a model, or one inside of it, rounds activations in ranges of its own."""
    from tflite.quantization.layers import FakeQuant
    from tflite.tfmot.export import is_quantized

    if any(isinstance(layer, FakeQuant) for layer in flatten_layers(model)):
        return
    name = repr(model.name)
    if is_quantized(model):
        raise ModelError(
            f"Expected a model of quantize_aware(engine='native'). Received: {name} of engine='tfmot', which moves the "
            "ranges of activations itself, with every batch of its training"
        )
    if is_aware(model):
        raise ModelError(
            f"Expected a model with ranges of activations. Received: {name} of scheme='dynamic', whose file measures "
            "those of each image while it runs"
        )
    raise ModelError(f"Expected a quantization-aware model. Received: {name}. Use tflite.quantize_aware")


def fake_quants(model: "keras.Model") -> list[Any]:
    """The layers of a model that round activations in a range they measure, those of models inside of it too."""
    from tflite.quantization.layers import FakeQuant

    return [layer for layer in flatten_layers(model) if isinstance(layer, FakeQuant) and layer.fixed is None]


def input_range(aware: "keras.Model") -> tuple[float, float] | None:
    """The range that a quantization-aware model rounds its input in, None where it was never measured."""
    from tflite.quantization.layers import FakeQuant

    for layer in aware.layers:
        if isinstance(layer, FakeQuant) and layer.input is aware.inputs[0]:
            return layer.range()
    return None
