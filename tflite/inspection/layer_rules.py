"""Findings on layers that the converter could not make one, and on their sizes."""

from tflite.inspection.finding import Facts, Finding, names, places
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator, Tensor

# With the number of their input that carries the image.
_WITH_WEIGHTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "CONV_3D": 0, "TRANSPOSE_CONV": 2}
_FUSABLE = frozenset({*_WITH_WEIGHTS, "ADD", "SUB", "MUL", "CONCATENATION"})
_ACTIVATIONS = frozenset(
    {
        "ELU",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "PRELU",
        "RELU",
        "RELU6",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "TANH",
    }
)
_LANES = 8


def unfused_activations(facts: Facts) -> Finding | None:
    """Activations that stayed operators of their own."""
    file = facts.file
    left = [
        operator
        for operator in file.operators
        if operator.name in _ACTIVATIONS
        and operator.outputs[0] not in file.outputs
        and (before := file.producers.get(operator.inputs[0].index)) is not None
        and before.name in _FUSABLE
    ]
    if not left:
        return None
    return Finding(
        "unfused_activations",
        places(left),
        f"{names(left)} did not fuse with the operator before; each is one more pass over a tensor",
        "Only ReLU, ReLU6 and ReLU from −1 to 1 fuse, and only where nothing else reads what they read",
    )


def unfolded_normalization(facts: Facts) -> Finding | None:
    """Multiplications and additions of a constant a channel: what is left of a batch normalisation."""
    file = facts.file
    left = [
        operator
        for operator in file.operators
        if operator.name in ("MUL", "ADD", "SUB")
        and _one_number_a_channel(operator)
        and not _scales_input(file, operator)
    ]
    if not left:
        return None
    return Finding(
        "unfolded_normalization",
        places(left),
        f"{names(left)} with one constant a channel: a normalisation that is not folded into a convolution",
        "Put BatchNormalization right after a convolution or dense layer without an activation between",
    )


def odd_channels(facts: Facts) -> Finding | None:
    """Convolutions whose channels do not fill the vector registers."""
    ends = _classifier(facts.file)
    left = [
        operator
        for operator in facts.file.operators
        if operator.name in _WITH_WEIGHTS
        and operator.index not in ends
        and not (operator.name == "DEPTHWISE_CONV_2D" and _scales_input(facts.file, operator))
        and operator.outputs[0].shape
        and operator.outputs[0].shape[-1] % _LANES
    ]
    if not left:
        return None
    sizes = sorted({operator.outputs[0].shape[-1] for operator in left})
    return Finding(
        "odd_channels",
        places(left),
        f"{names(left)} have {', '.join(map(str, sizes))} channels, not a multiple of {_LANES}: kernels compute the "
        "next multiple and throw the rest away",
        f"Widen or narrow these layers to a multiple of {_LANES}",
    )


def _one_number_a_channel(operator: Operator) -> bool:
    constants = [tensor for tensor in operator.inputs if tensor.constant]
    if len(constants) != 1 or not operator.outputs[0].shape:
        return False
    channels = operator.outputs[0].shape[-1]
    return channels > 1 and constants[0].elements == channels == constants[0].shape[-1]


def _scales_input(file: Flatbuffer, operator: Operator) -> bool:
    """Return whether it is preprocessing: works on the model's input, through conversions and other scalings alone."""
    sources = [tensor for tensor in operator.inputs if not tensor.constant]
    if len(sources) != 1:
        return False
    source = sources[0]
    while source not in file.inputs:
        before = file.producers.get(source.index)
        if before is None or before.name not in ("QUANTIZE", "DEQUANTIZE", "MUL", "ADD", "SUB"):
            return False
        sources = [tensor for tensor in before.inputs if not tensor.constant]
        if len(sources) != 1:
            return False
        source = sources[0]
    return True


def _classifier(file: Flatbuffer) -> frozenset[int]:
    """Operators with weights that nothing with weights follows: as many outputs as classes."""
    found: set[int] = set()
    ahead: list[Tensor] = list(file.outputs)
    seen: set[int] = set()
    while ahead:
        operator = file.producers.get(ahead.pop().index)
        if operator is None or operator.index in seen:
            continue
        seen.add(operator.index)
        if operator.name in _WITH_WEIGHTS:
            found.add(operator.index)
        else:
            ahead += operator.inputs
    return frozenset(found)
