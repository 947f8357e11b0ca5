"""TFLite files that no converter would write: most do one thing to the interpreter that opens them."""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Op, Options, Type = schema.BuiltinOperator, schema.BuiltinOptions, schema.TensorType


def crash_while_running() -> bytes:
    """Reads far outside its tensor: a window of a negative radius. The interpreter checks no radius."""
    options = _options(schema.LocalResponseNormalizationOptionsT, radius=-(2**31))
    return _file(
        _graph(
            [((1, 4, 4, 4), Type.FLOAT32), ((1, 4, 4, 4), Type.FLOAT32)],
            (Op.LOCAL_RESPONSE_NORMALIZATION, Options.LocalResponseNormalizationOptions, options),
        )
    )


def crash_while_opening() -> bytes:
    """Reads outside its tensors while they are allocated: a split into no parts."""
    tensors = [((), Type.INT32), ((4,), Type.FLOAT32), ((4,), Type.FLOAT32)]
    options = _options(schema.SplitOptionsT, numSplits=0)
    return _file(_graph(tensors, (Op.SPLIT, Options.SplitOptions, options), {0: np.zeros((), "int32")}))


def endless() -> bytes:
    """Counts in a loop that has no end."""
    return counts_to(2**31 - 1)


def counts_to(end: int) -> bytes:
    """Counts in a loop, from what goes in; there is no int32 above 2³¹ − 1."""
    number = ((), Type.INT32)
    options = _options(schema.WhileOptionsT, condSubgraphIndex=1, bodySubgraphIndex=2)
    loop = _graph([number, number], (Op.WHILE, Options.WhileOptions, options))
    test = _graph(
        [number, number, ((), Type.BOOL)],
        (Op.LESS_EQUAL, Options.LessEqualOptions, schema.LessEqualOptionsT()),
        {1: np.array(end, "int32")},
    )
    body = _graph([number, number, number], (Op.ADD, Options.AddOptions, schema.AddOptionsT()), {1: np.ones((), "i4")})
    return _file(loop, test, body)


def enormous() -> bytes:
    """Asks for 32 GiB."""
    return filled(2**30, 8)


def filled(*shape: int) -> bytes:
    """Writes one number into a float32 tensor of this shape."""
    tensors = [((len(shape),), Type.INT32), ((), Type.FLOAT32), (shape, Type.FLOAT32)]
    return _file(_graph(tensors, (Op.FILL, Options.FillOptions, schema.FillOptionsT()), {0: np.array(shape, "int32")}))


def sum_of_scalars() -> bytes:
    """No harm in it, but no image either: adds two numbers."""
    number = ((), Type.FLOAT32)
    return _file(_graph([number, number, number], (Op.ADD, Options.AddOptions, schema.AddOptionsT())))


def sum_of_rows(*, rows: int = 1, open_size: bool = False) -> bytes:
    """A file with two inputs: adds rows of four numbers, so many or as many as there are."""
    row = ((rows, 4), Type.FLOAT32)
    graph = _graph([row, row, row], (Op.ADD, Options.AddOptions, schema.AddOptionsT()))
    return _file(graph, signature=(-1, 4) if open_size else None)


def _options(kind: Any, **values: int) -> Any:
    options = kind()
    for name, value in values.items():
        setattr(options, name, value)
    return options


def _graph(
    tensors: Sequence[tuple[tuple[int, ...], int]],
    operator: tuple[int, int, Any],
    constants: Mapping[int, np.ndarray] | None = None,
) -> tuple[Any, ...]:
    return tensors, operator, constants or {}


def _file(*graphs: tuple[Any, ...], signature: tuple[int, ...] | None = None) -> bytes:
    """A file of subgraphs with one operator each; the last tensor is its output, the rest its inputs."""
    model = schema.ModelT()
    model.version, model.description = 3, "made for a test"
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [], []
    for tensors, (op, kind, options), constants in graphs:
        graph = schema.SubGraphT()
        graph.tensors, graph.inputs, graph.outputs = [], [], [len(tensors) - 1]
        for i, (shape, dtype) in enumerate(tensors):
            tensor = schema.TensorT()
            tensor.shape, tensor.type, tensor.name, tensor.buffer = list(shape), dtype, f"tensor{i}", 0
            if signature:
                tensor.shapeSignature = list(signature)
            if i in constants:
                buffer = schema.BufferT()
                buffer.data = list(constants[i].tobytes())
                tensor.buffer = len(model.buffers)
                model.buffers.append(buffer)
            elif i not in graph.outputs:
                graph.inputs.append(i)
            graph.tensors.append(tensor)
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = op, min(op, 127), 1
        step = schema.OperatorT()
        step.opcodeIndex, step.inputs, step.outputs = (
            len(model.operatorCodes),
            [*range(len(tensors) - 1)],
            [*graph.outputs],
        )
        step.builtinOptionsType, step.builtinOptions = kind, options
        model.operatorCodes.append(code)
        graph.operators = [step]
        model.subgraphs.append(graph)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
