"""Requirements on a model that is to be made quantization-aware."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.checks import check_unquantized
from tflite.keras_graph.float_graph import float_graph
from tflite.keras_graph.graph import read
from tflite.keras_graph.internals import flatten_layers

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


def check(model: "keras.Model", input_range: tuple[float, float] | None) -> None:
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
            raise ModelError(f"Expected a model with float32 inputs. Received: {model.name!r} with {symbol.dtype}")
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
    if input_range is not None and not (
        len(input_range) == 2 and np.isfinite(input_range).all() and input_range[0] <= 0 < input_range[1]
    ):
        raise ModelError(
            "Invalid value for `input_range`. Expected (low, high) with low ≤ 0 < high. "
            f"Received: input_range={input_range}"
        )


def check_file(model: "keras.Model") -> None:
    """Say before a training what would keep its result out of a file.

    Several outputs are warned of: a file can be made of one of them, of others that helped in training alone.

    Raises:
        ModelError: what `convert` refuses whatever is learned: a subclassed model, several inputs, open sizes, or
            layers that do not come back from their configuration.
    """
    read(model)  # refuses what is subclassed
    if len(model.inputs) != 1:
        raise ModelError(
            f"Expected a model with one input, which its file has. Received: {model.name!r} with {len(model.inputs)}. "
            "Concatenate them to one, and take it apart inside of the model"
        )
    shape = tuple(model.inputs[0].shape[1:])
    if None in shape:
        raise ModelError(
            f"Expected a model with a fixed input shape, which its file has. Received: {model.name!r} with {shape}. "
            "Build it with sizes and copy the weights: sized.set_weights(model.get_weights())"
        )
    float_graph(model)
    if len(model.outputs) != 1:
        warnings.warn(
            f"{model.name!r} has {len(model.outputs)} outputs, and a file has one: after the training convert "
            "keras.Model(aware.inputs, aware.outputs[0])",
            stacklevel=3,
        )


def _normalizes_another_axis(layer: Any) -> bool:
    """Return whether a normalisation has numbers of its own for something else than channels."""
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        return layer.input_spec is not None and layer.axis not in (-1, layer.input_spec.ndim - 1)
    if isinstance(layer, keras.layers.Normalization):
        rank = np.ndim(layer.mean)
        return [axis % rank for axis in layer.axis] not in ([], [rank - 1])
    return False
