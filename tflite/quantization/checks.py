"""Requirements on a model that is to be made quantization-aware."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.checks import check_unquantized
from tflite.keras_graph.float_graph import float_graph
from tflite.keras_graph.graph import read
from tflite.keras_graph.interface import interface
from tflite.keras_graph.internals import flatten_layers
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    import keras


def is_aware(model: "keras.Model") -> bool:
    """Return whether a model came from `quantize_aware`."""
    from tflite.quantization.kernels import AWARE
    from tflite.quantization.layers import FakeQuant

    kinds = (FakeQuant, *AWARE.values())
    return any(
        # A network of the second engine says it of itself.
        isinstance(layer, kinds) or getattr(layer, "quantization_aware", False)
        for layer in flatten_layers(model)
    )


def check(model: "keras.Model") -> None:
    """Raise what is wrong with a model.

    Raises:
        ModelError: see `quantize_aware`.
    """
    import keras

    if is_aware(model):
        raise ModelError(
            f"Expected a model in floating point. Received: {model.name!r}, which is quantization-aware already"
        )
    check_unquantized(model)
    for symbol in getattr(model, "inputs", None) or ():
        if symbol.dtype != "float32":
            raise ModelError(
                f"Expected a model with float32 inputs. Received: {model.name!r} with {symbol.name!r} of "
                f"{symbol.dtype}. Post-training int8 takes integers: tflite.convert(model, path, scheme='int8', "
                "representative=samples)"
            )
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.Lambda):
            raise ModelError(
                f"Expected layers with a configuration. Received: the Lambda layer {layer.name!r}. "
                "Write it as layers or operations of keras.ops"
            )
        if getattr(layer, "data_format", "channels_last") == "channels_first":
            raise ModelError(f"Expected channels in the last axis. Received: {layer.name!r} with 'channels_first'")
        if _normalizes_another_axis(layer):
            raise ModelError(f"Expected normalisation along the last axis. Received: {layer.name!r} with {layer.axis}")
        for weight in [] if isinstance(layer, keras.Model) else layer.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))).all():
                raise ModelError(f"Expected finite weights. Received: {weight.path!r} with values that are not")


def check_input_range(
    model: "keras.Model", given: tuple[float, float] | Mapping[str, tuple[float, float]] | None
) -> list[tuple[float, float] | None]:
    """Range of each input, None where none is given.

    Raises:
        ModelError: one that does not hold zero, one for several inputs, or an unknown name.
    """
    count = len(getattr(model, "inputs", None) or [None])
    if given is None:
        return [None] * count
    if isinstance(given, Mapping):
        names = interface(model).inputs
        for name in given:
            if name not in names:
                raise ModelError(unknown("input_range", name, names))
        ranges = [given.get(name) for name in names]
    elif count > 1:
        raise ModelError(
            f"Expected `input_range` as {{name: (low, high)}} of the inputs {list(interface(model).inputs)}. "
            f"Received: input_range={given}"
        )
    else:
        ranges = [given]
    for ends in ranges:
        if ends is not None and not (len(ends) == 2 and np.isfinite(ends).all() and ends[0] <= 0 < ends[1]):
            raise ModelError(
                "Invalid value for `input_range`. Expected (low, high) with low ≤ 0 < high. "
                f"Received: input_range={given}"
            )
    return ranges


def check_file(model: "keras.Model") -> None:
    """Say before a training what would keep its result out of a file.

    Raises:
        ModelError: what `convert` refuses whatever is learned: a subclassed model, open sizes, or layers that do not
            come back from their configuration.
    """
    read(model)  # refuses what is subclassed
    for symbol in model.inputs:
        shape = tuple(symbol.shape[1:])
        if None in shape:
            raise ModelError(
                "Expected a model with a fixed input shape, which its file has. "
                f"Received: {model.name!r} with {shape}. "
                "Build it with sizes and copy the weights: sized.set_weights(model.get_weights())"
            )
    float_graph(model)


def _normalizes_another_axis(layer: Any) -> bool:
    """Return whether a normalisation has numbers of its own for something else than channels."""
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        return layer.input_spec is not None and layer.axis not in (-1, layer.input_spec.ndim - 1)
    if isinstance(layer, keras.layers.Normalization):
        rank = np.ndim(layer.mean)
        return [axis % rank for axis in layer.axis] not in ([], [rank - 1])
    return False
