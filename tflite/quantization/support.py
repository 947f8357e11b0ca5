"""Support of the integer runtime for each kind of layer and operation.

Keras has most things twice, as layers and as operations of `keras.ops`; both are called the same here.
"""

from enum import Enum, auto
from typing import Any


class Role(Enum):
    """Role of a call in an integer graph."""

    WEIGHTED = auto()  # a convolution or a product: rounds its kernel; swallows a normalisation and a relu after it
    AFFINE = auto()  # scale and shift by channel: an own 1×1 depthwise convolution where no convolution is before it
    ARITHMETIC = auto()  # add, subtract, multiply; swallows a relu
    RELU = auto()  # relu or relu6: swallowed by what is before it, or an own operator
    CLIPPED = auto()  # cut off at both ends, by the range of the integers of what is before it, or of an own operator
    RANGED = auto()  # an own operator whose output has a range of its own
    MERGED = auto()  # its inputs and its output have one range
    SAME = auto()  # moves or selects numbers: the output has the range of the input
    BOUNDED = auto()  # the runtime fixes the range of the output
    IDENTITY = auto()  # nothing at inference


# Activations by the name of the function in `keras.activations`, which is also that of the operation.
_ACTIVATIONS = {
    "linear": Role.IDENTITY,
    "relu": Role.RELU,
    "relu6": Role.RELU,
    "clipped": Role.CLIPPED,
    "hard_tanh": Role.CLIPPED,
    "exponential": Role.RANGED,
    "leaky_relu": Role.RANGED,
    "hard_silu": Role.RANGED,
    "gelu": Role.RANGED,
    "sigmoid": Role.BOUNDED,
    "tanh": Role.BOUNDED,
    "softmax": Role.BOUNDED,
}

# The ranges that the runtime fixes for 8 bits; for 16 bits it is ±1 for all of them.
BOUNDS = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}

_LAYERS = {
    **dict.fromkeys(
        (
            *("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"),
            *("Conv1DTranspose", "Conv2DTranspose", "Dense"),
        ),
        Role.WEIGHTED,
    ),
    **dict.fromkeys(("BatchNormalization", "Rescaling", "Normalization"), Role.AFFINE),
    **dict.fromkeys(("Add", "Subtract", "Multiply"), Role.ARITHMETIC),
    **dict.fromkeys(("Concatenate", "Maximum", "Minimum"), Role.MERGED),
    **dict.fromkeys(
        ("PReLU", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "Dot"), Role.RANGED
    ),
    **dict.fromkeys(
        (
            "MaxPooling1D",
            "MaxPooling2D",
            "AveragePooling1D",
            "AveragePooling2D",
            "GlobalMaxPooling1D",
            "GlobalMaxPooling2D",
            "GlobalMaxPooling3D",
            "ZeroPadding1D",
            "ZeroPadding2D",
            "ZeroPadding3D",
            "Cropping1D",
            "Cropping2D",
            "Cropping3D",
            "UpSampling1D",
            "UpSampling2D",
            "Flatten",
            "Reshape",
            "Permute",
            "RepeatVector",
            "Resizing",
            "CenterCrop",
        ),
        Role.SAME,
    ),
    **dict.fromkeys(
        (
            "Identity",
            "Requantized",
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "GaussianNoise",
            "GaussianDropout",
            "AlphaDropout",
            "ActivityRegularization",
            "RandomBrightness",
            "RandomContrast",
            "RandomCrop",
            "RandomFlip",
            "RandomRotation",
            "RandomTranslation",
            "RandomZoom",
            "RandomErasing",
            "MixUp",
            "CutMix",
        ),
        Role.IDENTITY,
    ),
}

_OPERATIONS = {
    **dict.fromkeys(("Add", "Subtract", "Multiply"), Role.ARITHMETIC),
    **dict.fromkeys(("Concatenate", "Maximum", "Minimum"), Role.MERGED),
    **dict.fromkeys(
        (
            *("Mean", "Sum", "Exp", "Log", "Sqrt", "Rsqrt", "Absolute", "Abs"),
            *("Matmul", "Einsum", "Divide", "TrueDivide"),
        ),
        Role.RANGED,
    ),
    **dict.fromkeys(
        (
            "MaxPool",
            "AveragePool",
            "Max",
            "Amax",
            "Min",
            "Amin",
            "Clip",
            "Tile",
            "Roll",
            "Take",
            "Pad",
            "Reshape",
            "Transpose",
            "Squeeze",
            "ExpandDims",
            "GetItem",
            "Resize",
            "Ravel",
            "Repeat",
            "Swapaxes",
            "Moveaxis",
        ),
        Role.SAME,
    ),
    **dict.fromkeys(("StopGradient", "Copy"), Role.IDENTITY),
}


def averages(operation: Any) -> bool:
    """Return whether an operation of the role SAME makes new numbers, which the runtime rounds in its input's range.

    They are averages, or the ends of what is clipped.
    """
    name = type(operation).__name__
    return name in ("AveragePooling1D", "AveragePooling2D", "AveragePool", "Clip") or (
        name in ("UpSampling2D", "Resizing", "Resize") and operation.interpolation != "nearest"
    )


def activation(operation: Any) -> str | None:
    """The name of the activation function that a layer or operation is, None for one that is something else.

    A rectifier with parameters that make it another function is that one: "relu", "relu6", "leaky_relu", "clipped"
    for one that ends at another number than six, or "thresholded" or "leaky_clipped" for any other.
    """
    import keras

    if isinstance(operation, keras.layers.Activation):
        return getattr(operation.activation, "__name__", type(operation.activation).__name__)
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    if isinstance(operation, keras.layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(operation, keras.layers.ReLU) or (
        type(operation).__name__ == "ReLU" and hasattr(operation, "max_value")
    ):
        return _rectifier(operation)
    if isinstance(operation, keras.layers.ELU):
        return "elu"
    if isinstance(operation, keras.layers.Layer):
        return None
    return _FUNCTIONS.get(type(operation).__name__)


_FUNCTIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "LeakyRelu": "leaky_relu",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "HardSigmoid": "hard_sigmoid",
    "Gelu": "gelu",
    "Silu": "silu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
}


def _rectifier(operation: Any) -> str:
    if operation.threshold:
        return "thresholded"
    if operation.negative_slope:
        return "leaky_clipped" if operation.max_value is not None else "leaky_relu"
    return {None: "relu", 6: "relu6"}.get(operation.max_value, "clipped")


# What a mask does to the range of scores.
MASKED = "whose number for what is not seen leaves the scores no integers"
_ATTENDING = frozenset(
    {"MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention", "Attention", "AdditiveAttention", "Softmax"}
)


def is_masked(call: Any) -> bool:
    """Return whether a call of attention, or of a softmax, is told what not to see."""
    import keras

    attends = isinstance(call.kind, keras.layers.Layer) and any(
        one.__name__ in _ATTENDING for one in type(call.kind).__mro__
    )
    given = [*call.args[1:]] if isinstance(call.kind, keras.layers.Softmax) else []
    given += [value for name, value in call.kwargs.items() if "mask" in name]
    return attends and any(value is not None and value is not False for value in keras.tree.flatten(given))


def clip_range(operation: Any) -> tuple[float, float] | None:
    """The two ends of what a layer or operation lets pass; None where that is not a range that holds zero."""
    function = activation(operation)
    if function == "hard_tanh":
        return -1.0, 1.0
    if function == "clipped":
        return 0.0, float(operation.max_value)
    if type(operation).__name__ != "Clip":
        return None
    ends = [operation.x_min, operation.x_max]
    if not all(isinstance(end, int | float) for end in ends) or not ends[0] <= 0 <= ends[1] or ends[0] == ends[1]:
        return None
    return float(ends[0]), float(ends[1])


def role(operation: Any) -> Role | None:
    """Role of a layer or operation in an integer graph; None where the runtime has no integer kernel."""
    import keras

    function = activation(operation)
    if function is not None:
        return _ACTIVATIONS.get(function)
    if clip_range(operation) is not None:
        return Role.CLIPPED
    return (_LAYERS if isinstance(operation, keras.layers.Layer) else _OPERATIONS).get(type(operation).__name__)
