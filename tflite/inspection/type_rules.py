"""Findings on shapes, types and quantization."""

from tflite.inspection.finding import Facts, Finding, names, places
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator, Tensor

_CONVOLUTIONS = frozenset({"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def dynamic_batch(facts: Facts) -> Finding | None:
    """Sizes that the file leaves open."""
    open_inputs = tuple(tensor.name for tensor in facts.file.inputs if tensor.open_shape)
    if not open_inputs:
        return None
    return Finding(
        "dynamic_batch",
        open_inputs,
        "The file leaves a size of its input open: shapes are computed at run time, and delegates plan for one size",
        "Convert with a batch of one, as `tflite.convert` does",
    )


def float_operators(facts: Facts) -> Finding | None:
    """Floating-point operators between integer ones."""
    left = _computing(facts.file.float_operators)
    if not left or not _integer(facts.file):
        return None
    return Finding(
        "float_operators",
        places(left),
        f"{names(left)} compute with floating-point numbers in a model that is quantized otherwise",
        "Replace the layer by one with an integer kernel, for instance ELU by ReLU6 or hard-swish",
    )


def inner_conversions(facts: Facts) -> Finding | None:
    """QUANTIZE and DEQUANTIZE that are neither at an input nor at an output nor unpack a weight."""
    left = [
        operator
        for operator in facts.file.operators
        if operator.name in _CONVERSIONS and not facts.file.is_interface(operator) and not operator.inputs[0].constant
    ]
    if not left:
        return None
    return Finding(
        "inner_conversions",
        places(left),
        f"{names(left)} inside the graph change type or scale; each is one more pass over a tensor",
        "Quantize the layers on both sides, and give the inputs of a concatenation one range",
    )


def per_tensor_weights(facts: Facts) -> Finding | None:
    """Convolutions with one scale for all channels."""
    left = [
        operator
        for operator in facts.file.operators
        if operator.name in _CONVOLUTIONS and any(_one_scale(weights) for weights in _weights(operator))
    ]
    if not left:
        return None
    return Finding(
        "per_tensor_weights",
        places(left),
        f"The weights of {names(left)} have one scale for all channels: channels with small weights lose precision",
        "Quantize convolution weights per channel, as `tflite.convert` does",
    )


def uint8_weights(facts: Facts) -> Finding | None:
    """Weights of the older scheme."""
    left = tuple(tensor.name for tensor in facts.file.tensors if tensor.is_weight and tensor.dtype == "uint8")
    if not left:
        return None
    return Finding(
        "uint8_weights",
        left,
        f"{len(left)} weights are uint8, the older scheme with one scale a tensor, which newer delegates do not take",
        "Convert the Keras model anew: weights become int8 with one scale a channel",
    )


def int16_activations(facts: Facts) -> Finding | None:
    """The 16×8 scheme."""
    left = [
        operator
        for operator in _computing(facts.file.operators)
        if any(tensor.dtype == "int16" and tensor.scales for tensor in operator.outputs)
    ]
    if not left:
        return None
    return Finding(
        "int16_activations",
        places(left),
        f"{names(left)} have 16-bit activations (int16x8): few fast kernels exist, and XNNPACK has none",
        "Use it where int8 loses too much accuracy, measure its latency, or train with quantization for int8",
    )


def _computing(operators: tuple[Operator, ...]) -> list[Operator]:
    return [operator for operator in operators if operator.name not in _CONVERSIONS]


def _integer(file: Flatbuffer) -> bool:
    """Return whether an operator computes quantized activations; integer weights alone do not make an integer model."""
    return any(tensor.scales and not tensor.is_float for op in _computing(file.operators) for tensor in op.outputs)


def _weights(operator: Operator) -> list[Tensor]:
    return [tensor for tensor in operator.inputs if tensor.constant and len(tensor.shape) >= 4 and tensor.scales]


def _one_scale(weights: Tensor) -> bool:
    return len(weights.scales) == 1 and max(weights.shape[0], weights.shape[-1]) > 1
