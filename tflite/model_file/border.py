"""A TFLite file with other types at its inputs and outputs, and the same network between them."""

from typing import Any

from tflite.errors import ModelError

# What a runtime in a browser takes → what stands in for the types that it does not.
_STANDS_IN = {"INT8": "UINT8", "INT16": "FLOAT32"}
# The zero point moves with the integers: int8 −128…127 is uint8 0…255.
_SHIFT = 128
# A format that is older than the operator codes above 127 keeps this placeholder in its field of one byte.
_PLACEHOLDER = 127


def without_signed_integers(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The same network with uint8 in place of int8, and float32 in place of int16, at its inputs and outputs.

    One QUANTIZE or DEQUANTIZE is put in front of the network, or behind it, for each port that changes. A uint8 of the
    same scale and a zero point 128 higher stands for the same real number as the int8, so that the answers are the
    same to the last bit. Everything else, metadata included, stays as it is; a zip archive behind the file does not.

    Args:
        content: of a TFLite file that an interpreter opened.

    Returns:
        The new content, the old one where nothing changes; and a sentence for each port that changed.

    Raises:
        ModelError: integers of a port without a scale, or a file that keeps its buffers outside of the flatbuffer.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.TensorType).items() if name.isupper()}
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)
    changes = []
    for role, places in (("input", graph.inputs), ("output", graph.outputs)):
        for at, place in enumerate(places):
            old = names.get(graph.tensors[place].type, "")
            if old not in _STANDS_IN:
                continue
            if any((buffer.offset or 0) > 1 for buffer in model.buffers):
                raise ModelError("Expected a file with its weights inside. Received: one that keeps them behind it")
            new = _STANDS_IN[old]
            outer = _outer_tensor(schema, graph.tensors[place], getattr(schema.TensorType, new), new)
            graph.tensors.append(outer)
            index = len(graph.tensors) - 1
            pair = (index, place) if role == "input" else (place, index)
            operator = _operator(schema, model, "DEQUANTIZE" if (role, new) == ("output", "FLOAT32") else "QUANTIZE")
            operator.inputs, operator.outputs = [pair[0]], [pair[1]]
            graph.operators.insert(0 if role == "input" else len(graph.operators), operator)
            places[at] = index
            _rename(model.signatureDefs or [], role, place, index)
            changes.append(f"its {role} takes {new.lower()} for {old.lower()}".replace("output takes", "output gives"))
    if not changes:
        return content, ()
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output()), tuple(changes)


def _outer_tensor(schema: Any, inner: Any, code: int, dtype: str) -> Any:
    """The tensor that stands at the border in place of another one."""
    held = inner.quantization
    if held is None or held.scale is None or len(held.scale) != 1:
        raise ModelError(
            f"Expected one scale for the integers of {(inner.name or b'').decode(errors='replace')!r}. Received: "
            f"{0 if held is None or held.scale is None else len(held.scale)}"
        )
    outer = schema.TensorT()
    outer.shape, outer.shapeSignature, outer.hasRank = inner.shape, inner.shapeSignature, inner.hasRank
    outer.type, outer.buffer, outer.name = code, 0, (inner.name or b"") + f":{dtype.lower()}".encode()
    if dtype == "UINT8":
        outer.quantization = schema.QuantizationParametersT()
        zero_point = int(held.zeroPoint[0]) if held.zeroPoint is not None and len(held.zeroPoint) else 0
        outer.quantization.scale, outer.quantization.zeroPoint = [float(held.scale[0])], [zero_point + _SHIFT]
    return outer


def _operator(schema: Any, model: Any, name: str) -> Any:
    """A new operator of a type, whose code is added where the file has none of it.

    Version 3 of DEQUANTIZE is the first that takes int16; version 3 of QUANTIZE the first that gives it.
    """
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, _PLACEHOLDER)
    code.version = 3
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name.capitalize()}Options")
    operator.builtinOptions = getattr(schema, f"{name.capitalize()}OptionsT")()
    return operator


def _rename(signatures: Any, role: str, old: int, new: int) -> None:
    for signature in signatures:
        if signature.subgraphIndex == 0:
            for port in (signature.inputs if role == "input" else signature.outputs) or []:
                if port.tensorIndex == old:
                    port.tensorIndex = new
