"""Weights of 4 bits, two in a byte."""

from typing import Any

import numpy as np

# Operator → the places of its weights and its bias, and the first version that takes weights of 4 bits.
_TAKES = {"CONV_2D": (1, 2, 7), "DEPTHWISE_CONV_2D": (1, 2, 7), "FULLY_CONNECTED": (1, 2, 10)}
# The largest integers of 8 and of 4 bits, symmetric.
_WIDE, _NARROW = 127, 7


def narrow_weights(model: Any) -> None:
    """Store the weights of an unpacked int8 file in 4 bits, where they are whole numbers of 4-bit steps.

    The converter has no such type. It writes the kernels of a model that was trained for 4 bits as integers of 8 bits,
    k·127/7 rounded for k from −7 to 7; here they are those k, with 127/7 times the scale. A bias has the scale of
    the input times that of the weights, and is rounded to it anew.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    kinds = {getattr(schema.BuiltinOperator, name): places for name, places in _TAKES.items()}
    narrowed: set[int] = set()
    widened: set[int] = set()  # biases; operators may share one
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        places = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if places is None:
            continue
        weights, bias, version = operator.inputs[places[0]], operator.inputs[places[1]], places[2]
        if weights not in narrowed:
            steps = _steps(model, tensors[weights], schema)
            if steps is None:
                continue
            _store(model, tensors[weights], _packed(steps))
            tensors[weights].type = schema.TensorType.INT4
            _rescale(tensors[weights])
            narrowed.add(weights)
        if bias >= 0 and bias not in widened:
            widened.add(bias)
            numbers = _data(model, tensors[bias]).view("<i4")
            rounded = np.round(numbers * (_NARROW / _WIDE)).astype("<i4")
            _store(model, tensors[bias], rounded.view("uint8"))
            _rescale(tensors[bias])
        code.version = max(code.version, version)


def _steps(model: Any, tensor: Any, schema: Any) -> np.ndarray | None:
    """Weights as whole numbers of 4-bit steps, or None where they are not.

    The converter gives a channel whose kernel is almost zero a larger scale than its own, with which the bias fits 32
    bits. What is left of it, which no longer reaches the largest integer, is rounded to 4 bits of that scale.
    """
    if tensor.type != schema.TensorType.INT8 or model.buffers[tensor.buffer].data is None:
        return None
    wide = _data(model, tensor).view("int8").astype("int64")
    steps = np.round(wide * (_NARROW / _WIDE)).astype("int64")
    same = np.round(steps * (_WIDE / _NARROW)) == wide
    axis = tensor.quantization.quantizedDimension if len(tensor.quantization.scale) > 1 else 0
    channels = np.moveaxis(wide.reshape(tensor.shape), axis, 0).reshape(len(tensor.quantization.scale), -1)
    whole = np.moveaxis(same.reshape(tensor.shape), axis, 0).reshape(channels.shape).all(axis=1)
    enlarged = np.abs(channels).max(axis=1) < _WIDE
    return steps if whole.any() and (whole | enlarged).all() else None


def _packed(steps: np.ndarray) -> np.ndarray:
    """Two numbers a byte, the first in the lower half."""
    halves = np.resize(steps & 15, steps.size + steps.size % 2).astype("uint8")
    halves[steps.size :] = 0
    return halves[0::2] | halves[1::2] << 4


def _data(model: Any, tensor: Any) -> np.ndarray:
    return np.asarray(model.buffers[tensor.buffer].data, "uint8")


def _rescale(tensor: Any) -> None:
    tensor.quantization.scale = (np.asarray(tensor.quantization.scale, "float64") * (_WIDE / _NARROW)).astype("<f4")


def _store(model: Any, tensor: Any, data: np.ndarray) -> None:
    """Give a tensor a buffer of its own: another may have the same bytes as the old one."""
    from ai_edge_litert import schema_py_generated as schema

    if sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors) == 1:
        model.buffers[tensor.buffer].data = None
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
