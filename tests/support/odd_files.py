"""TFLite files that are whole and that `tflite.convert` would not write, as other tools do."""

import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from tflite.utils.quiet import quiet


def converted(function, *shape, path, module=None):
    """The file of a function of one tensor; `module` holds its variables, which stay variables in the file."""
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, name="x")]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module or tf.Module())
    converter.experimental_enable_resource_variables = True
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(converter.convert())
    return path


def changed(path, target, change):
    """A copy of a file after `change` has gone over its objects."""
    model = flatbuffer_utils.read_model(path)
    change(model)
    flatbuffer_utils.write_model(model, target)
    return target


def weights_of(model: Any, number: int = 0) -> Any:
    """The weights of the operator of that number that has some."""
    graph = model.subgraphs[0]
    return [graph.tensors[operator.inputs[1]] for operator in graph.operators if len(operator.inputs) > 1][number]


def in_blocks(model: Any, *, size: int = 32) -> None:
    """Store 4-bit weights of which `size` in a row share a float16 scale."""
    graph, weights = model.subgraphs[0], weights_of(model)
    rows, columns = weights.shape
    integers = np.random.default_rng(0).integers(-8, 8, rows * columns) & 15
    model.buffers[weights.buffer].data = (integers[::2] | integers[1::2] << 4).astype("uint8")
    weights.type = schema.TensorType.INT4
    blocks = schema.BlockwiseQuantizationT()
    blocks.scales, blocks.zeroPoints, blocks.blockSize = len(graph.tensors), -1, size
    weights.quantization = schema.QuantizationParametersT()
    weights.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    weights.quantization.details = blocks
    scales = np.full((rows, columns // size), 0.05, "float16")
    _add(model, scales.shape, schema.TensorType.FLOAT16, scales.tobytes())


def sparse(model: Any, share: float) -> int:
    """Store a share of the first weights alone, with an operator that fills in the zeros; returns how many."""
    graph, weights = model.subgraphs[0], weights_of(model)
    [user] = [op for op in graph.operators if len(op.inputs) > 1 and graph.tensors[op.inputs[1]] is weights]
    rows, columns = weights.shape
    kept = np.random.default_rng(0).random((rows, columns)) < share
    dense = np.asarray(model.buffers[weights.buffer].data, "uint8").view("float32").reshape(rows, columns)
    model.buffers[weights.buffer].data = np.frombuffer(dense[kept].tobytes(), "uint8")
    whole, holed = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    whole.format, whole.denseSize = schema.DimensionType.DENSE, rows
    holed.format = schema.DimensionType.SPARSE_CSR
    kind = schema.SparseIndexVector.Int32Vector
    holed.arraySegmentsType, holed.arraySegments = kind, _vector([0, *np.cumsum(kept.sum(axis=1))])
    holed.arrayIndicesType, holed.arrayIndices = kind, _vector(np.nonzero(kept)[1])
    weights.sparsity = schema.SparsityParametersT()
    weights.sparsity.traversalOrder, weights.sparsity.blockMap = [0, 1], []
    weights.sparsity.dimMetadata = [whole, holed]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DENSIFY
    code.version = 1
    model.operatorCodes.append(code)
    fill = schema.OperatorT()
    fill.opcodeIndex, fill.inputs, fill.outputs = len(model.operatorCodes) - 1, [user.inputs[1]], [len(graph.tensors)]
    fill.builtinOptionsType, fill.builtinOptions = schema.BuiltinOptions.DensifyOptions, schema.DensifyOptionsT()
    _add(model, (rows, columns), schema.TensorType.FLOAT32, None)
    user.inputs = [user.inputs[0], len(graph.tensors) - 1, *user.inputs[2:]]
    graph.operators.insert(0, fill)
    return int(kept.sum())


def _add(model: Any, shape: tuple[int, ...], kind: int, content: bytes | None) -> None:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.name, tensor.buffer = list(shape), kind, b"added", 0
    if content is not None:
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.frombuffer(content, "uint8")
    model.subgraphs[0].tensors.append(tensor)


def _vector(values: Any) -> Any:
    vector = schema.Int32VectorT()
    vector.values = np.asarray(values, "int32")
    return vector
