"""A bias of its own for every operator that adds one."""

from typing import Any

import numpy as np

from tflite.errors import ConversionError

# Operator → the places of its input, its weights and its bias.
_PLACES = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
# Scales further apart than this are two scales; the converter computes them in float32.
_SAME = 1e-4
# What a bias may be off by, as a part of the range of the output: half a step of 8 bits.
_MOST_OFF = 2.0**-9


def own_biases(model: Any) -> None:
    """Give the operators of an unpacked integer file biases in steps of their own input × weights.

    The runtime adds the integers of a bias to sums of that step, whatever scale the bias says. With activations of 16
    bits the converter writes equal constants once, in steps for the first operator that adds them: a layer that is
    called twice, or two layers with the same numbers.

    Raises:
        ConversionError: a bias whose steps are too coarse for another operator, or too many of its steps for 32 bits.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    kinds = {getattr(schema.BuiltinOperator, name): places for name, places in _PLACES.items()}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        places = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if places is None or len(operator.inputs) <= places[2] or operator.inputs[places[2]] < 0:
            continue
        entered, weights, bias = (tensors[operator.inputs[place]] for place in places)
        if bias.type not in (schema.TensorType.INT32, schema.TensorType.INT64):
            continue
        wanted = _scales(entered)[0] * _scales(weights)
        if np.allclose(_scales(bias), wanted, rtol=_SAME, atol=0):
            continue
        tensors.append(_rescaled(model, bias, wanted, tensors[operator.outputs[0]]))
        operator.inputs = np.array(operator.inputs)  # that of the file is not to be written to
        operator.inputs[places[2]] = len(tensors) - 1


def _rescaled(model: Any, bias: Any, wanted: np.ndarray, output: Any) -> Any:
    """A tensor of the same numbers in other steps, in a buffer of its own."""
    from ai_edge_litert import schema_py_generated as schema

    kind = "<i8" if bias.type == schema.TensorType.INT64 else "<i4"
    numbers = np.asarray(model.buffers[bias.buffer].data, "uint8").view(kind)
    steps = _scales(bias)
    whole = np.rint(np.divide(numbers * steps, wanted, out=np.zeros(numbers.shape), where=wanted > 0))
    levels = 2**16 if output.type == schema.TensorType.INT16 else 2**8
    coarse = numbers.any() and (steps / 2).max() > _MOST_OFF * levels * _scales(output)[0]
    if coarse or (np.abs(whole) > np.iinfo("int32").max).any():
        raise ConversionError(
            f"Expected layers with the same bias to have inputs of like ranges. Received: {bias.name.decode()!r}, of "
            f"which the converter made one for steps of {steps.max():g} and of {wanted.max():g}. Use scheme='int8', or "
            "scale what enters the layers"
        )
    buffer, made = schema.BufferT(), schema.TensorT()
    buffer.data = whole.astype(kind).view("uint8")
    model.buffers.append(buffer)
    made.shape, made.type, made.buffer = bias.shape, bias.type, len(model.buffers) - 1
    made.name = bias.name + b";own_%d" % made.buffer
    made.hasRank = bias.hasRank
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale = wanted.astype("<f4")
    made.quantization.zeroPoint = np.zeros(len(wanted), "<i8")
    made.quantization.quantizedDimension = bias.quantization.quantizedDimension
    return made


def _scales(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.quantization.scale, "float64")
