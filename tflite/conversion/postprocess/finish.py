"""Post-processing of the converter's file before it is written."""

from typing import Any

from tflite.conversion.postprocess.narrow_weights import narrow_weights
from tflite.conversion.postprocess.own_biases import own_biases
from tflite.conversion.postprocess.packing import packed, unpacked
from tflite.conversion.postprocess.wide_biases import widen_biases
from tflite.conversion.postprocess.wide_gates import correct_gates
from tflite.model_file.metadata.schema import ENTRY, Metadata
from tflite.model_file.metadata.writing import metadata_buffer, with_labels
from tflite.quantization.holding import let_go


def finished(
    content: bytes,
    *,
    integer: bool,
    wide_biases: bool,
    metadata: Metadata | None,
    image: bool,
    narrow: bool = False,
) -> bytes:
    """The file with tensors of input and output that are called as in the signature, and with its metadata.

    Args:
        content: what the converter made, with one signature of one input and one output.
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
    [signature] = model.signatureDefs
    [entered], [left] = signature.inputs, signature.outputs
    for port in (entered, left):
        model.subgraphs[0].tensors[port.tensorIndex].name = port.name
    if metadata is not None:
        names = {"input_name": entered.name.decode(), "output_name": left.name.decode()}
        _add(model, metadata_buffer(metadata, image=image, **names))
    made = packed(model)
    return with_labels(made, metadata.labels) if metadata is not None and metadata.labels else made


def _add(model: Any, data: bytes) -> None:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, "uint8")
    model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
