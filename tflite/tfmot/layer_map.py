"""Map from layers and operations of Keras 3 to those of Keras 2."""

from dataclasses import dataclass, field
from typing import Any

from tflite.errors import ModelError
from tflite.keras_graph.graph import Call
from tflite.quantization.support import activation

_CONVOLUTION = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "use_bias")
_DEPTHWISE = ("kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate", "use_bias")
_POOLING = ("pool_size", "strides", "padding")

# Class of a layer → its arguments that have the same name and meaning in both.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Conv2DTranspose": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
        "dilation_rate",
        "use_bias",
    ),
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "SeparableConv1D": ("filters", *_DEPTHWISE),
    "SeparableConv2D": ("filters", *_DEPTHWISE),
    "Dense": ("units", "use_bias"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "LayerNormalization": ("axis", "epsilon", "center", "scale"),
    "PReLU": ("shared_axes",),
    "Rescaling": ("scale", "offset"),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), _POOLING),
    **dict.fromkeys(
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"), ("keepdims",)
    ),
    "Dropout": ("rate", "noise_shape"),
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D", "GaussianDropout"), ("rate",)),
    "GaussianNoise": ("stddev",),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), ("padding",)),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), ("cropping",)),
    "UpSampling1D": ("size",),
    "UpSampling2D": ("size", "interpolation"),
    "Flatten": (),
    "Reshape": ("target_shape",),
    "Permute": ("dims",),
    "RepeatVector": ("n",),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), ()),
    "Concatenate": ("axis",),
}
# Activations by the name of their function in Keras 3, which is that in Keras 2 but for one.
_ACTIVATIONS = {
    name: name
    for name in (
        *("linear", "sigmoid", "tanh", "softmax", "gelu", "elu", "selu", "softplus", "softsign"),
        *("relu", "relu6", "leaky_relu"),
    )
} | {"silu": "swish"}
# Operations of two tensors; with a number in place of one they have no counterpart.
_PAIRWISE = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_NOTHING = ("Identity", "StopGradient", "Copy")


@dataclass(frozen=True)
class Twin:
    """A layer of Keras 2: its class, its arguments, and the variables of Keras 3 that it copies, in its own order."""

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    variables: tuple[Any, ...] = ()
    trainable: bool = True
    part: str = ""  # added to the name where one layer becomes several


def twins(call: Call, *, apart: bool) -> list[Twin]:
    """The layers of Keras 2, one after the other, that a call is.

    Args:
        call: of a layer or operation.
        apart: whether layers that quantization takes apart are written in their parts: separable convolutions, and
            activations that it knows as layers alone.

    Raises:
        ModelError: there is none; the message names the layer.
    """
    import keras

    kind = call.kind
    if call.kwargs.get("mask") is not None:
        raise no_twin(call, " with a mask")
    if not isinstance(kind, keras.layers.Layer):
        return _operation(call)
    name = type(kind).__name__
    if name in _NOTHING:
        return []
    function = activation(kind)
    if function is not None:
        return _activation(call, function)
    if getattr(keras.layers, name, None) is not type(kind) or name not in _ARGUMENTS:
        raise no_twin(call)
    _check_layer(call)
    config = kind.get_config()
    arguments = {key: config[key] for key in _ARGUMENTS[name]}
    fused = _fused(call)
    variables = tuple(kind.weights)
    if apart and name == "SeparableConv2D":
        return [*_separated(arguments, variables, kind.trainable), *_follower(call, fused)]
    if apart and fused not in ("", "relu"):
        return [Twin(name, arguments, variables, kind.trainable), *_follower(call, fused)]
    if fused:
        arguments["activation"] = _ACTIVATIONS[fused]
    return [Twin(name, arguments, variables, kind.trainable)]


def no_twin(call: Call, why: str = "") -> ModelError:
    """The error for a call that cannot be written in Keras 2."""
    import keras

    what = "layer" if isinstance(call.kind, keras.layers.Layer) else "operation"
    return ModelError(
        f"Expected layers that tensorflow-model-optimization can take. Received: the {what} {call.name!r} "
        f"({type(call.kind).__name__}){why}. Replace it, or use engine='native' for quantization"
    )


def _check_layer(call: Call) -> None:
    layer = call.kind
    if getattr(layer, "activity_regularizer", None) is not None:
        raise no_twin(call, " with an activity regularizer")
    for option in ("synchronized", "renorm"):
        if getattr(layer, option, False):
            raise no_twin(call, f" with {option}=True")
    if getattr(layer, "lora_rank", None) or getattr(layer, "quantization_mode", None):
        raise no_twin(call, " with LoRA or weights that are quantized already")


def _fused(call: Call) -> str:
    """The activation inside of a weighted layer, empty for none."""
    function = getattr(call.kind, "activation", None)
    if function is None:
        return ""
    name = getattr(function, "__name__", type(function).__name__)
    if name not in _ACTIVATIONS:
        raise no_twin(call, f" with the activation {name}")
    return "" if name == "linear" else name


def _follower(call: Call, fused: str) -> list[Twin]:
    """The activation of a layer as one of its own."""
    if not fused:
        return []
    (twin,) = _activation(call, fused)
    return [Twin(twin.kind, twin.arguments, part=f"_{fused}")]


def _activation(call: Call, function: str) -> list[Twin]:
    kind = call.kind
    if function == "linear":
        return []
    if function in ("relu", "relu6"):
        return [Twin("ReLU", {"max_value": 6.0 if function == "relu6" else None})]
    if function == "leaky_relu":
        return [Twin("LeakyReLU", {"alpha": float(getattr(kind, "negative_slope", 0.2))})]
    if function in ("clipped", "thresholded", "leaky_clipped") and hasattr(kind, "threshold"):
        values = {key: getattr(kind, key) for key in ("max_value", "negative_slope", "threshold")}
        return [Twin("ReLU", {key: None if value is None else float(value) for key, value in values.items()})]
    if function == "softmax":
        return [Twin("Softmax", {"axis": getattr(kind, "axis", -1)})]
    if function == "gelu" and getattr(kind, "approximate", False):
        raise no_twin(call, " with approximate=True")
    if function == "elu":
        return [Twin("ELU", {"alpha": float(getattr(kind, "alpha", 1.0))})]
    if function not in _ACTIVATIONS:
        raise no_twin(call, f" with the activation {function}")
    return [Twin("Activation", {"activation": _ACTIVATIONS[function]})]


def _operation(call: Call) -> list[Twin]:
    kind, name = call.kind, type(call.kind).__name__
    function = activation(kind)
    if name in _NOTHING:
        return []
    if function is not None:
        return _activation(call, function)
    if name in _PAIRWISE and len(call.inputs) == 2:
        return [Twin(name)]
    if name == "Concatenate":
        return [Twin(name, {"axis": kind.axis})]
    if name == "Mean" and call.inputs[0].rank == 4 and _axes(kind.axis) == {1, 2}:
        return [Twin("GlobalAveragePooling2D", {"keepdims": kind.keepdims})]
    raise no_twin(call)


def _axes(axis: Any) -> set[int]:
    found = axis if isinstance(axis, list | tuple) else (axis,)
    return {value % 4 for value in found if value is not None}


def _separated(arguments: dict[str, Any], variables: tuple[Any, ...], trainable: bool) -> list[Twin]:
    """A separable convolution: a depthwise one and a 1×1 one."""
    depthwise, *pointwise = variables
    first = {key: value for key, value in arguments.items() if key not in ("filters", "use_bias")}
    second = {"filters": arguments["filters"], "kernel_size": 1, "use_bias": arguments["use_bias"]}
    return [
        Twin("DepthwiseConv2D", {**first, "use_bias": False}, (depthwise,), trainable, part="_depthwise"),
        Twin("Conv2D", second, tuple(pointwise), trainable),
    ]
