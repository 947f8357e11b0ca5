"""Biases of 64 bits for activations of 16."""

from typing import Any

import numpy as np

_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# The first version of DEPTHWISE_CONV_2D that takes activations of 16 bits; the converter writes 1.
_DEPTHWISE_VERSION = 5


def widen_biases(model: Any) -> None:
    """Give the operators of an unpacked file that have 16-bit activations 64-bit biases.

    The converter writes 32-bit ones where it takes ranges from the graph, and 64-bit ones where it measures them. Not
    every kernel of the runtime takes the first.
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

    buffer = schema.BufferT()
    buffer.data = np.asarray(model.buffers[tensor.buffer].data, "uint8").view("<i4").astype("<i8").view("uint8")
    # Another tensor may have the same bytes: the wider ones go into a buffer of their own.
    model.buffers.append(buffer)
    if sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors) == 1:
        model.buffers[tensor.buffer].data = None
    tensor.buffer = len(model.buffers) - 1
    tensor.type = schema.TensorType.INT64
