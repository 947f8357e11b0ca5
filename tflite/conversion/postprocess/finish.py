"""Post-processing of the converter's file before it is written."""

from typing import Any

from tflite.conversion.postprocess.narrow_weights import narrow_weights
from tflite.conversion.postprocess.own_biases import own_biases
from tflite.conversion.postprocess.packing import packed, unpacked
from tflite.conversion.postprocess.wide_biases import widen_biases
from tflite.conversion.postprocess.wide_gates import correct_gates
from tflite.keras_graph.interface import Interface
from tflite.model_file.metadata.schema import ENTRY, Metadata
from tflite.model_file.metadata.writing import metadata_buffer, with_labels
from tflite.quantization.holding import let_go


def finished(
    content: bytes,
    *,
    named: Interface,
    integer: bool,
    wide_biases: bool,
    metadata: Metadata | None,
    image: bool,
    narrow: bool = False,
) -> bytes:
    """The file with tensors of input and output that are called as in the signature, and with its metadata.

    Args:
        content: what the converter made, with one signature.
        named: how inputs and outputs are called, in their order, by which the converter numbered them.
        integer: whether it computes with integers.
        wide_biases: whether operators with 16-bit activations still need their 64-bit biases.
        metadata: to write; None for none.
        image: whether the input is an image.
        narrow: whether weights that lie on a grid of 4 bits are stored so.
    """
    model = unpacked(content)
    if integer:
        let_go(model)
        own_biases(model)
    if narrow:
        narrow_weights(model)
    if wide_biases:
        widen_biases(model)
        correct_gates(model)
    _give_names(model, named)
    if metadata is not None:
        [input_name], [output_name] = named.inputs, named.outputs
        _add(model, metadata_buffer(metadata, image=image, input_name=input_name, output_name=output_name))
    made = packed(model)
    return with_labels(made, metadata.labels) if metadata is not None and metadata.labels else made


def _give_names(model: Any, named: Interface) -> None:
    """Call inputs and outputs as asked, and put them in that order: the converter has an order of its own."""
    [signature], graph = model.signatureDefs, model.subgraphs[0]
    for role, names in (("inputs", named.inputs), ("outputs", named.outputs)):
        ports = getattr(signature, role)
        if len(names) > 1:
            ports = sorted(ports, key=lambda port: int(port.name.decode().rpartition("_")[2]))
        for port, name in zip(ports, names, strict=True):
            port.name = name.encode()
            # One tensor may be several outputs; it is called like the first.
            if port.tensorIndex not in [before.tensorIndex for before in ports[: ports.index(port)]]:
                graph.tensors[port.tensorIndex].name = port.name
        setattr(signature, role, ports)
        setattr(graph, role, [port.tensorIndex for port in ports])


def _add(model: Any, data: bytes) -> None:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, "uint8")
    model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
