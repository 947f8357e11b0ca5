"""The layer that rescales raw pixels, as one integer operator."""

import math
from dataclasses import dataclass
from typing import Any

from tflite.keras_graph.graph import Call, Value

PIXELS = (0.0, 255.0)

# The layer that rounds the input.
INPUT = "quantize_layer"


@dataclass(frozen=True)
class Rescaled:
    """scale·x + offset, for x in `known`: what it is for integers, and the range that it leads to."""

    scale: float
    offset: float
    low: float
    high: float


def rescaled(call: Call, inputs: set[Value], known: tuple[float, float]) -> Rescaled | None:
    """Scale and offset of a call that rescales the model's input; None for anything else.

    The offset is moved to the nearest multiple of the step of a pixel, so that each pixel value is one integer: an
    integer model has no finer offset, since zero must be one of its numbers.
    """
    import keras

    layer = call.kind
    if not isinstance(layer, keras.layers.Rescaling) or not set(call.inputs) <= inputs:
        return None
    if not all(isinstance(value, int | float) for value in (layer.scale, layer.offset)) or not layer.scale:
        return None
    step = layer.scale * (known[1] - known[0]) / 255
    offset = math.floor(layer.offset / step + 0.5) * step
    low, high = sorted(layer.scale * bound + offset for bound in known)
    if not low <= 0 <= high:
        return Rescaled(layer.scale, layer.offset, min(low, 0.0), max(high, 0.0))
    return Rescaled(layer.scale, offset, low, high)


def quantize_config(tfmot: Any, found: Rescaled) -> Any:
    """Configuration for tensorflow-model-optimization: round the layer's kernel as ever, its output in its range."""
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_config as configs
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    plain = registry.Default8BitConvQuantizeConfig(["depthwise_kernel"], ["activation"], False)
    return configs.FixedQuantizeConfig(plain, 8, found.low, found.high, False)
