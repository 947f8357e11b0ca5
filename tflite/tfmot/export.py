"""Export of a model that tensorflow-model-optimization made quantization-aware, for `convert`."""

from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError
from tflite.tfmot.pixels import PIXELS
from tflite.tfmot.quantizing import Quantized, fix_input, input_layer
from tflite.tfmot.ranges import START, activation_ranges

if TYPE_CHECKING:
    import keras


def is_quantized(model: "keras.Model") -> bool:
    """Return whether a model came from `quantize_aware` with engine="tfmot"."""
    from tflite.tfmot.network import networks

    return any(isinstance(layer.method, Quantized) for layer in networks(model))


def measured_input(model: "keras.Model", scheme: str, *, given: Any = None) -> tuple[float, float]:
    """The range that a quantization-aware model rounds its input in.

    Args:
        model: for which `is_quantized`.
        scheme: what it is to be converted to.
        given: representative images, which such a model does not take.

    Raises:
        ModelError: another scheme than "int8", images, or ranges that were never measured.
    """
    from tflite.tfmot.network import networks

    if scheme != "int8":
        raise ModelError(
            f"Expected scheme='int8', for which {model.name!r} was made quantization-aware. Received: "
            f"scheme={scheme!r}. For another scheme convert the model in floating point"
        )
    if given is not None:
        raise ModelError(
            f"Expected no `representative` images: {model.name!r} is quantization-aware and has measured its ranges"
        )
    network = next(layer.network for layer in networks(model) if isinstance(layer.method, Quantized))
    if all(found == START for found in activation_ranges(network)):
        raise ModelError(
            f"Expected measured ranges of activations. Received: {model.name!r}, which has those it started with. "
            "Train the model"
        )
    layer = input_layer(network)
    fixed = getattr(layer.quantizer, "init_min", None)
    if fixed is not None:
        return float(fixed), float(layer.quantizer.init_max)
    values = layer.quantizer_vars
    return float(values["min_var"].numpy()), float(values["max_var"].numpy())


def of_pixels(model: "keras.Model") -> "keras.Model":
    """The model, changed so that its input has the range of raw pixels, [0, 255], whatever was measured."""
    from tflite.tfmot.network import networks

    for layer in networks(model):
        fix_input(layer.network, PIXELS)
    return model
