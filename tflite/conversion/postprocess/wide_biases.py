"""Biases of 64 bits for activations of 16."""

from typing import Any

import numpy as np

from tflite.errors import ConversionError

_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# The first version of DEPTHWISE_CONV_2D that takes activations of 16 bits; the converter writes 1.
_DEPTHWISE_VERSION = 5
_MOST = 2**31 - 1


def widen_biases(model: Any) -> None:
    """Give the operators of an unpacked file that have 16-bit activations 64-bit biases.

    The converter writes 32-bit ones where it takes ranges from the graph, and 64-bit ones where it measures them. Not
    every kernel of the runtime takes the first.

    Raises:
        ConversionError: a bias that does not fit 32 bits, of which the converter has written the largest number.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    kinds = {getattr(schema.BuiltinOperator, name): name for name in _WITH_BIAS}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if kind is None or tensors[operator.outputs[0]].type != schema.TensorType.INT16:
            continue
        place = 3 if kind == "TRANSPOSE_CONV" else 2
        bias = operator.inputs[place] if len(operator.inputs) > place else -1
        if bias >= 0 and tensors[bias].type == schema.TensorType.INT32:
            _widen(model, tensors[bias])
        if hasattr(operator.builtinOptions, "quantizedBiasType"):
            operator.builtinOptions.quantizedBiasType = schema.TensorType.INT64
        if kind == "DEPTHWISE_CONV_2D":
            code.version = max(code.version, _DEPTHWISE_VERSION)


def _widen(model: Any, tensor: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    narrow = np.asarray(model.buffers[tensor.buffer].data, "uint8").view("<i4")
    beyond = np.flatnonzero((narrow == _MOST) | (narrow <= -_MOST))
    if beyond.size:
        raise ConversionError(
            f"Expected biases that 32 bits hold in steps of input × kernel. Received: {tensor.name.decode()!r}, which "
            f"the converter has cut off in the channels {', '.join(map(str, beyond[:5]))}, whose kernels are almost "
            "zero. Use scheme='int8', or take these channels out"
        )
    buffer = schema.BufferT()
    buffer.data = narrow.astype("<i8").view("uint8")
    # Another tensor may have the same bytes: the wider ones go into a buffer of their own.
    model.buffers.append(buffer)
    if sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors) == 1:
        model.buffers[tensor.buffer].data = None
    tensor.buffer = len(model.buffers) - 1
    tensor.type = schema.TensorType.INT64
