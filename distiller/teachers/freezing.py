"""A teacher that only answers: its batch normalizations in its convolutions, its feature maps in bfloat16."""

import warnings
from typing import Any

import keras
import numpy as np
from keras import layers

from distiller.errors import InputError
from distiller.models import fuse
from distiller.teachers.closeness import closeness
from tflite.errors import ModelError
from tflite.keras_graph.batch_norm import norm_after, scale_and_shift
from tflite.keras_graph.graph import Call, Graph, NewLayer, Value, read, write

# What batch normalization folds into, with the axes of the kernel along which its output channels lie.
_CHANNEL_AXES: dict[type, tuple[int, ...]] = {
    layers.Conv1D: (-1,),
    layers.Conv2D: (-1,),
    layers.DepthwiseConv2D: (-2, -1),
    layers.Dense: (-1,),
}
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)


def frozen(
    teacher: keras.Model,
    *,
    dtype: str | None = "mixed_bfloat16",
    images: np.ndarray | None = None,
    agreement: float = 0.99,
    divergence: float = 1e-3,
) -> keras.Model:
    """A copy of `teacher` that answers sooner and is not to be trained; `teacher` stays as it is.

    A batch normalization that alone takes the result of a convolution or dense layer becomes part of its kernel and
    bias (Jacob et al. 2018, equation 14, with the moving statistics). What computes feature maps, from the first
    convolution to the last map, computes in `dtype`; preprocessing, pooled features and logits keep their precision.

    Layers have the names they had, so that taps find them; the tap of a folded convolution is what its normalization
    gives. Objectives that read a normalization's own numbers (`Overhaul`) need the teacher itself.

    Args:
        teacher: functional or sequential, logits (batch, classes) out.
        dtype: policy of the feature maps; None keeps that of every layer.
        images: (samples, height, width, channels) raw pixels, on which the copy is held against the teacher computed in
            float32. Where it is further away than asked, a warning says by how much, and the copy has the teacher's
            precision. A teacher that computes feature maps in `dtype` already loses none, and is not checked.
        agreement: fraction of the images that must have the same likeliest class.
        divergence: at most, in nats, mean over the images, at temperature 4.

    Raises:
        InputError: a subclassed teacher, one of several outputs where there are `images`, or a layer that does not come
            back from its configuration.
    """
    try:
        made = _made(teacher, dtype)
        if dtype is None or images is None or not len(images):
            return made
        kept = _made(teacher, None)
        if _policies(made) == _policies(kept):
            return made
        if len(teacher.outputs) != 1:
            raise InputError(f"Expected a teacher with one output. Received: {len(teacher.outputs)} outputs")
        exact = _made(teacher, "float32", everywhere=True)
    except ModelError as error:
        raise InputError(f"Expected a teacher that can be copied. {error}") from error
    answers = (network.predict(images.astype("float32"), verbose=0) for network in (exact, made))
    found = closeness(*answers)
    if found.within(agreement, divergence):
        return made
    warnings.warn(
        f"In {dtype} the teacher {teacher.name!r} says the same class for {100 * found.agreement:.2f} % of the "
        f"images, with a divergence of {found.divergence:.2g} nats; {100 * agreement:g} % and {divergence:g} nats "
        "were asked. It keeps its precision",
        stacklevel=2,
    )
    return kept


def _made(teacher: keras.Model, dtype: str | None, *, everywhere: bool = False) -> keras.Model:
    """The folded copy, its feature maps in `dtype`, or all of it."""
    graph = read(teacher)
    maps = _maps(graph)
    _fold(graph)

    def copy(call: Call) -> Any:
        if not isinstance(call.kind, layers.Layer):
            return call.operation
        config = call.kind.get_config() | {"name": call.name}
        if dtype is not None and (everywhere or maps.intersection(call.outputs)):
            config["dtype"] = dtype
        try:
            return NewLayer(type(call.kind).from_config(config), call.weights)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"Expected a teacher whose layers come back from their configuration. Received: {call.name!r}. {error}"
            ) from error

    copied = fuse(write(graph, copy))
    copied.trainable = False
    return copied


def _policies(network: keras.Model) -> dict[str, str]:
    return {layer.name: layer.dtype_policy.name for layer in network.layers}


def _maps(graph: Graph) -> set[Value]:
    """The feature maps: what is computed of a convolution's result, as long as it is still an image."""
    found: set[Value] = set()
    for call in graph.calls:
        if isinstance(call.kind, _CONVOLUTIONS) or found.intersection(call.inputs):
            found.update(value for value in call.outputs if _is_map(value))
    return found


def _is_map(value: Value) -> bool:
    """True where a tensor is an image of more than one position: logits may be one of a single position."""
    return value.rank == 4 and tuple(value.symbol.shape[1:3]) != (1, 1)


def _fold(graph: Graph) -> None:
    uses = [id(call.operation) for call in graph.calls]
    for call in list(graph.calls):
        norm = norm_after(graph, call) if type(call.kind) in _CHANNEL_AXES else None
        once = norm is not None and uses.count(id(call.operation)) == uses.count(id(norm.operation)) == 1
        if norm is not None and once and _folds(call, norm):
            call.operation = _folded(call, norm)
            # What taps the normalization finds its result.
            norm.operation = layers.Identity(name=norm.name, dtype=norm.kind.dtype_policy.name)
            norm.args, norm.kwargs = (call.output,), {}


def _folds(call: Call, norm: Call) -> bool:
    """True where nothing comes between the two, and both have their channels on the last axis."""
    return (
        type(norm.kind) is layers.BatchNormalization
        and norm.kind.axis in (-1, norm.inputs[0].rank - 1)
        and call.kind.activation is keras.activations.linear
        and getattr(call.kind, "data_format", "channels_last") == "channels_last"
    )


def _folded(call: Call, norm: Call) -> NewLayer:
    layer = call.kind
    factor, shift = scale_and_shift(norm.kind)
    kernel, *bias = (np.asarray(weights, "float64") for weights in call.weights or [])
    channels = [kernel.shape[axis] for axis in _CHANNEL_AXES[type(layer)]]
    made = type(layer).from_config(layer.get_config() | {"use_bias": True, "name": call.name})
    moved = bias[0] * factor + shift if bias else shift
    return NewLayer(made, [(kernel * factor.reshape(channels)).astype("float32"), moved.astype("float32")])
