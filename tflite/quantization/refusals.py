"""Refusal of layers that quantization-aware training does not serve: the reason, and a way out that works."""

from typing import Any

from tflite.errors import ModelError
from tflite.quantization.support import MASKED, activation, clip_range, is_masked, role


class UnsupportedError(ModelError):
    """A layer cannot be quantized, of which `name` is the one that `exclude` takes; `reason` is all but that way out.

    A part of a layer is called by the name of the layer. What TFLite has no operator for at all cannot be excluded.
    """

    def __init__(self, reason: str, name: str, *, excludable: bool = True):
        super().__init__(f"{reason}, or keep it in floating point with exclude=({name!r},)" if excludable else reason)
        self.reason, self.name = reason, name


def takes(call: Any, bits: int) -> bool:
    """Return whether the runtime has an integer kernel for a call with activations of that many bits."""
    if role(call.kind) is None or _told_apart(call) is not None:
        return False
    return bits == 8 or not (_what(call) in _NARROW or clip_range(call.kind) == (-1.0, 1.0) or _divides_a_number(call))


def unsupported(call: Any, bits: int) -> UnsupportedError:
    """Reason why a call cannot be quantized, and the way out."""
    import keras

    what, name = _what(call), call.origin
    if takes(call, 8):
        return UnsupportedError(
            f"Expected layers that the integer runtime has for activations of {bits} bits. Received: {name!r} "
            f"({what}). Use scheme='int8'",
            name,
        )
    where = "layer" if isinstance(call.kind, keras.layers.Layer) else "operation"
    received = f"Received: the {where} {name!r} ({what})"
    apart = _told_apart(call)
    if apart is not None:
        without = what in ("Conv1DTranspose", "Conv2DTranspose")
        return UnsupportedError(f"{apart[0]}. {received}. {apart[1]}", name, excludable=not without)
    if what in FLOATING:
        return UnsupportedError(
            f"Expected layers that the integer runtime has. {received}. {_INSTEAD.get(what, 'Replace it')}", name
        )
    rounds = f"Expected layers that quantization-aware training can round. {received}."
    instead = f" {_INSTEAD[what]}." if what in _INSTEAD else ""
    if _key(what) in AFTER_TRAINING:
        return UnsupportedError(
            f"{rounds}{instead} Post-training int8 writes it with integers{_unrolled(call)}: "
            "tflite.convert(model, path, scheme='int8', representative=images)",
            name,
        )
    if instead:
        return UnsupportedError(f"{rounds}{instead.rstrip('.')}", name)
    return UnsupportedError(
        f"{rounds} Quantize without training, where the converter may have integers for it: scheme='int8' with "
        "representative",
        name,
    )


def _unrolled(call: Any) -> str:
    """Addition for a recurrent layer that is a loop, of which the converter cannot measure ranges."""
    inner = getattr(call.kind, "forward_layer", call.kind)
    return "" if getattr(inner, "unroll", True) else " with unroll=True"


def _what(call: Any) -> str:
    return activation(call.kind) or type(call.kind).__name__


def _key(what: str) -> str:
    """Name of a layer, an operation or an activation in one spelling."""
    return what.lower().replace("_", "")


def _told_apart(call: Any) -> tuple[str, str] | None:
    """Reason and way out for a layer that is served with other arguments alone; None where it is served."""
    import keras

    kind = call.kind
    transposed = isinstance(kind, keras.layers.Conv1DTranspose | keras.layers.Conv2DTranspose)
    if transposed and any(rate != 1 for rate in _numbers(kind.dilation_rate)):
        return "Expected transposed convolutions without dilation, which TFLite has no operator for", "Use strides"
    if isinstance(kind, keras.layers.Dot) and kind.normalize:
        return "Expected products of vectors as they are", "Normalize none: Dot(normalize=False)"
    if is_masked(call):
        return f"Expected attention without masks, {MASKED}", "Attend to all"
    return None


def _numbers(sizes: Any) -> tuple[int, ...]:
    return tuple(sizes) if isinstance(sizes, list | tuple) else (sizes,)


def _divides_a_number(call: Any) -> bool:
    """Return whether a call divides a constant, of which the converter makes no 16 bits."""
    return type(call.kind).__name__ in ("Divide", "TrueDivide") and len(call.inputs) < 2


# What has integer kernels for 8 bits alone.
_NARROW = frozenset(
    {
        *("gelu", "PReLU", "Concatenate", "Repeat", "RepeatVector", "UpSampling1D"),
        *("Log", "Tile", "Roll", "clipped", "hard_tanh"),
    }
)

# What the converter leaves in floating point in an int8 file, however its ranges are found.
FLOATING = frozenset(
    {
        *("Sin", "Cos", "Sign", "Floor", "Round", "Ceil", "elu", "leaky_clipped", "Cumsum", "LogSigmoid"),
        *("LayerNormalization", "RMSNormalization", "GroupNormalization", "UnitNormalization", "Conv3D", "Squareplus"),
    }
)

# What the converter writes with integers alone in an int8 file where it measures the ranges, in one spelling.
AFTER_TRAINING = frozenset(
    {
        *("attention", "additiveattention", "multiheadattention", "einsumdense", "thresholded", "threshold"),
        *(
            "selu",
            "celu",
            "softplus",
            "softsign",
            "mish",
            "logsoftmax",
            "glu",
            "tanhshrink",
            "softshrink",
            "hardshrink",
        ),
        *("var", "std", "norm", "prod", "split"),
        *("gru", "lstm", "simplernn", "bidirectional", "convlstm1d", "upsampling3d", "spectralnormalization"),
    }
)

_INSTEAD = {
    **dict.fromkeys(
        ("elu", "selu", "softplus", "softsign", "mish", "celu"), "Use relu, hard_swish or silu in its place"
    ),
    **dict.fromkeys(
        ("LayerNormalization", "RMSNormalization", "GroupNormalization", "UnitNormalization"), "Use BatchNormalization"
    ),
    "Lambda": "Write it as layers",
}
