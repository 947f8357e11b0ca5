"""Export of a quantization-aware model for `convert`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError
from tflite.keras_graph.internals import flatten_layers
from tflite.quantization.aware import is_aware
from tflite.quantization.export_graph import export_graph
from tflite.quantization.ranges import input_range

if TYPE_CHECKING:
    import keras

__all__ = ["Ready", "exported", "is_aware"]

# The lowest end of a measured range that is taken for that of raw pixels, whose images need not hold the brightest.
_BRIGHT = 128


@dataclass(frozen=True)
class Ready:
    """A graph for the converter, and the type of its input."""

    graph: "keras.Model"
    input_type: str


def exported(
    aware: "keras.Model", scheme: str, input_type: str | None, *, given: Any = None, apart: bool = False
) -> Ready:
    """The graph of a quantization-aware model that computes in float32, for the converter.

    Args:
        aware: the model.
        scheme: what it is to be converted to; it must be that of the model.
        input_type: "uint8" for raw pixels, "int8", "float32", or None for what fits the model. Several inputs keep the
            ranges that were measured, whatever their type.
        given: representative images, which such a model does not take.
        apart: whether what stays in floating point is held apart from rounded numbers.

    Raises:
        ModelError: images, another scheme, ranges that were never measured, or "uint8" for other numbers than pixels.
    """
    from tflite.tfmot.export import is_quantized, measured_input, of_pixels

    if is_quantized(aware):
        input_type = _input_type(aware, measured_input(aware, scheme, given=given), input_type)
        return Ready(of_pixels(aware) if input_type == "uint8" else aware, input_type)
    own = _scheme(aware)
    if scheme != own:
        raise ModelError(
            f"Expected scheme={own!r}, for which {aware.name!r} was made quantization-aware. Received: "
            f"scheme={scheme!r}. For another scheme convert the model in floating point"
        )
    if given is not None:
        raise ModelError(
            f"Expected no `representative` images: {aware.name!r} is quantization-aware and has measured its ranges. "
            "Use tflite.calibrate_ranges to measure them anew"
        )
    if len(aware.inputs) > 1 and scheme in ("int8", "int4"):
        return Ready(export_graph(aware, apart=apart), input_type or "int8")
    if scheme in ("dynamic", "int16x8"):
        return Ready(export_graph(aware, apart=apart), input_type or "float32")
    input_type = _input_type(aware, input_range(aware) or (0.0, 0.0), input_type)
    return Ready(export_graph(aware, pixels=input_type == "uint8", apart=apart), input_type)


def _input_type(aware: "keras.Model", measured: tuple[float, float], input_type: str | None) -> str:
    """The type that is asked for, or the one that fits the range of the input."""
    low, high = measured
    pixels = low == 0 and _BRIGHT < high <= 255
    if input_type == "uint8" and not pixels:
        raise ModelError(
            f"Expected a model of raw pixels in [0, 255] for input_type='uint8'. Received: {aware.name!r} with inputs "
            f"in [{low:g}, {high:g}]. A model of scaled images takes input_type='int8'"
        )
    return input_type or ("uint8" if pixels else "int8")


def _scheme(aware: "keras.Model") -> str:
    """The scheme that a model was made for."""
    from tflite.quantization.kernels import AWARE
    from tflite.quantization.layers import FakeQuant

    layers: list[Any] = flatten_layers(aware)
    kinds = tuple(AWARE.values())
    if any(isinstance(layer, kinds) and getattr(layer, "bits", None) == 4 for layer in layers):
        return "int4"
    bits = next((layer.bits for layer in layers if isinstance(layer, FakeQuant)), None)
    return {8: "int8", 16: "int16x8", None: "dynamic"}[bits]
