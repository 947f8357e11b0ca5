"""Reader of a TFLite file's flatbuffer: tensors and operators."""

import math
import re
from functools import cached_property
from typing import Any

from tflite.model_file.operators import Operator, Tensor

Ports = tuple[tuple[str, int], ...]


class Flatbuffer:
    """A subgraph of a TFLite file. The content must have been opened by an interpreter, which verifies it.

    The first subgraph, number 0, is what runs; the others are bodies of its loops and branches, and other signatures.
    """

    def __init__(self, content: bytes, subgraph: int = 0):
        from ai_edge_litert import schema_py_generated as schema

        self._schema, self._content = schema, content
        self._model = schema.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(subgraph)
        self.name = _text(self._graph.Name())

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in the order of the file."""
        dtypes = {code: name.lower() for name, code in vars(self._schema.TensorType).items() if name.isupper()}
        return tuple(self._tensor(i, dtypes) for i in range(self._graph.TensorsLength()))

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """All operators, in the order of execution."""
        builtin = {code: name for name, code in vars(self._schema.BuiltinOperator).items() if name.isupper()}
        standard = set(builtin.values()) - {"CUSTOM"}
        options = {code: name for name, code in vars(self._schema.BuiltinOptions).items() if name[0].isupper()}
        fused = {code: name for name, code in vars(self._schema.ActivationFunctionType).items() if name.isupper()}
        found = []
        for index in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(index)
            name = _operator_name(self._model.OperatorCodes(operator.OpcodeIndex()), builtin)
            found.append(
                Operator(
                    index,
                    name,
                    tuple(self.tensors[i] for i in map(operator.Inputs, range(operator.InputsLength())) if i >= 0),
                    tuple(self.tensors[i] for i in map(operator.Outputs, range(operator.OutputsLength()))),
                    activation=fused.get(self._activation(operator, options), "NONE"),
                    custom=name not in standard,
                )
            )
        return tuple(found)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """Tensors that the caller sets."""
        return tuple(self.tensors[self._graph.Inputs(i)] for i in range(self._graph.InputsLength()))

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """Tensors that the caller gets."""
        return tuple(self.tensors[self._graph.Outputs(i)] for i in range(self._graph.OutputsLength()))

    @cached_property
    def producers(self) -> dict[int, Operator]:
        """Index of a tensor → the operator that computes it."""
        return {tensor.index: operator for operator in self.operators for tensor in operator.outputs}

    @cached_property
    def consumers(self) -> dict[int, tuple[Operator, ...]]:
        """Index of a tensor → the operators that read it."""
        found: dict[int, list[Operator]] = {tensor.index: [] for tensor in self.tensors}
        for operator in self.operators:
            for index in {tensor.index for tensor in operator.inputs}:
                found[index].append(operator)
        return {index: tuple(operators) for index, operators in found.items()}

    @cached_property
    def subgraphs(self) -> "tuple[Flatbuffer, ...]":
        """All of the file, this one too."""
        return tuple(Flatbuffer(self._content, number) for number in range(self._model.SubgraphsLength()))

    @cached_property
    def weights(self) -> tuple[Tensor, ...]:
        """The weights of all subgraphs; those that several tensors share are there once, and scales of blocks not."""
        found: dict[int, Tensor] = {}
        for graph in self.subgraphs:
            for tensor in (tensor for tensor in graph.tensors if graph.is_weight(tensor)):
                found.setdefault(graph.buffer(tensor), tensor)
        return tuple(found.values())

    def is_weight(self, tensor: Tensor) -> bool:
        """Return whether a tensor is a constant of real numbers that is no scale of another one's blocks."""
        return tensor.is_weight and tensor.index not in self._scales_of_blocks

    @cached_property
    def _scales_of_blocks(self) -> frozenset[int]:
        held = (self._blocks(self._graph.Tensors(tensor.index)) for tensor in self.tensors if tensor.block_size)
        return frozenset(place for blocks in held if blocks for place in (blocks.Scales(), blocks.ZeroPoints()))

    @property
    def parameters(self) -> int:
        """Numbers in constant tensors that are floating-point or quantized; shapes and axes are neither."""
        return sum(tensor.elements for tensor in self.weights)

    @property
    def sparse(self) -> tuple[Tensor, ...]:
        """Tensors that are stored without their zeros."""
        return tuple(tensor for tensor in self.tensors if self._graph.Tensors(tensor.index).Sparsity() is not None)

    @property
    def external_buffers(self) -> int:
        """Number of tensors of all subgraphs whose numbers are in another file."""
        held = (graph._graph.Tensors(tensor.index) for graph in self.subgraphs for tensor in graph.tensors)
        return sum(tensor.ExternalBuffer() > 0 for tensor in held)

    @property
    def buffers_behind(self) -> int:
        """Number of buffers that lie behind the flatbuffer, as those of files of 2 GB and more do."""
        buffers = map(self._model.Buffers, range(self._model.BuffersLength()))
        return sum(held.Offset() > 1 and held.Size() > 0 for held in buffers)

    def buffer(self, tensor: Tensor) -> int:
        """The number of the buffer that holds a constant."""
        return self._graph.Tensors(tensor.index).Buffer()

    @cached_property
    def float_operators(self) -> tuple[Operator, ...]:
        """Operators that compute with floating-point numbers; the conversions of the interface do not count."""
        return tuple(operator for operator in self.operators if operator.is_float and not self.is_interface(operator))

    def is_interface(self, operator: Operator) -> bool:
        """Return whether it is a QUANTIZE of an input of the model or a QUANTIZE or DEQUANTIZE to an output."""
        if operator.name not in ("QUANTIZE", "DEQUANTIZE"):
            return False
        return operator.inputs[0] in self.inputs or operator.outputs[0] in self.outputs

    @cached_property
    def metadata(self) -> dict[str, bytes]:
        """The named pieces of metadata in the file."""
        entries = [self._model.Metadata(i) for i in range(self._model.MetadataLength())]
        return {_text(entry.Name()): self._data(entry.Buffer()) for entry in entries}

    @cached_property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name of a signature → the names of its inputs, then of its outputs."""
        return {
            name: tuple(port for port, _ in (*inputs, *outputs)) for name, _, inputs, outputs in self.signature_tensors
        }

    @cached_property
    def signature_tensors(self) -> tuple[tuple[str, int, Ports, Ports], ...]:
        """Of every signature its name, the number of its subgraph, and (name, index of the tensor) of its ports."""
        found = []
        for signature in map(self._model.SignatureDefs, range(self._model.SignatureDefsLength())):
            inputs = map(signature.Inputs, range(signature.InputsLength()))
            outputs = map(signature.Outputs, range(signature.OutputsLength()))
            ports = (tuple((_text(port.Name()), port.TensorIndex()) for port in role) for role in (inputs, outputs))
            found.append((_text(signature.SignatureKey()), signature.SubgraphIndex(), *ports))
        return tuple(found)

    def _data(self, buffer: int) -> bytes:
        size = self._held(buffer)
        if not size:
            return b""
        held = self._model.Buffers(buffer)
        if held.DataLength():
            return held.DataAsNumpy().tobytes()
        return self._content[held.Offset() : held.Offset() + size]

    def _held(self, buffer: int) -> int:
        """The bytes in a buffer, which large files keep behind the flatbuffer; 0 where a file lists none."""
        if not 0 <= buffer < self._model.BuffersLength():
            return 0
        held = self._model.Buffers(buffer)
        return held.DataLength() or (held.Size() if held.Offset() > 1 else 0)

    def _blocks(self, tensor: Any) -> Any:
        """Quantization of a tensor's blocks; None for one that has no blocks."""
        quantization = tensor.Quantization()
        kind = self._schema.QuantizationDetails.BlockwiseQuantization
        if quantization is None or quantization.DetailsType() != kind or quantization.Details() is None:
            return None
        details, blocks = quantization.Details(), self._schema.BlockwiseQuantization()
        blocks.Init(details.Bytes, details.Pos)
        return blocks

    def _activation(self, operator: Any, names: dict[int, str]) -> int | None:
        held = operator.BuiltinOptions()
        kind: Any = getattr(self._schema, names.get(operator.BuiltinOptionsType(), ""), None)
        if held is None or not hasattr(kind, "FusedActivationFunction"):
            return None
        options = kind()
        options.Init(held.Bytes, held.Pos)
        return options.FusedActivationFunction()

    def _tensor(self, index: int, dtypes: dict[int, str]) -> Tensor:
        tensor = self._graph.Tensors(index)
        quantization = tensor.Quantization()
        scales: tuple[float, ...] = ()
        zero_points: tuple[int, ...] = ()
        if quantization is not None and quantization.ScaleLength():
            scales = tuple(quantization.ScaleAsNumpy().tolist())
            zero_points = tuple(quantization.ZeroPointAsNumpy().tolist()) if quantization.ZeroPointLength() else ()
        dtype = dtypes.get(tensor.Type(), f"type{tensor.Type()}")
        shape = tuple(tensor.ShapeAsNumpy().tolist()) if tensor.ShapeLength() else ()
        signature = tensor.ShapeSignatureAsNumpy().tolist() if tensor.ShapeSignatureLength() else shape
        held, blocks = self._held(tensor.Buffer()), self._blocks(tensor)
        return Tensor(
            index=index,
            name=_text(tensor.Name()),
            dtype=dtype,
            shape=shape,
            scales=scales,
            zero_points=zero_points,
            constant=held > 0,
            bytes=held or (math.prod(max(1, size) for size in shape) * _bits(dtype) + 7) // 8,
            open_shape=any(size < 0 for size in signature),
            block_size=0 if blocks is None else blocks.BlockSize(),
        )


def with_written_sizes(content: bytes) -> bytes:
    """The same file with the sizes that it leaves open fixed at those written in it, as the interpreter runs it."""
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(content)
    model = schema.Model.GetRootAsModel(changed, 0)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            if tensor.ShapeSignatureLength() and tensor.ShapeSignatureLength() == tensor.ShapeLength():
                signature = tensor.ShapeSignatureAsNumpy()  # a view of the bytes
                signature[:] = tensor.ShapeAsNumpy()
    return bytes(changed)


def _text(name: bytes | None) -> str:
    return (name or b"").decode(errors="replace")


def _bits(dtype: str) -> int:
    """Bits of one number, which its type is named for; 0 for strings and other types without a size."""
    size = re.match(r"[a-z]+(\d+)", dtype)
    return int(size[1]) if size else 8 * (dtype == "bool")


def _operator_name(code: Any, builtin: dict[int, str]) -> str:
    # Codes above 127 do not fit in the older field, which then holds a placeholder of 127.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin.get(number) == "CUSTOM":
        return _text(code.CustomCode()) or "CUSTOM"
    return builtin.get(number, f"OPERATOR_{number}")
