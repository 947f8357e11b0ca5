"""The signatures of a file: the names by which an application calls it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.utils.record import Record


@dataclass(frozen=True)
class Signature(Record):
    """A signature: its name, and pairs (name, tensor) of its inputs and outputs.

    A tensor is named as in `Inspection.inputs` and `outputs` where the signature is that of the first subgraph.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


def signatures_of(file: Flatbuffer) -> Iterator[Signature]:
    """Every signature of a file, in its order."""
    for name, number, inputs, outputs in file.signature_tensors:
        graph = file.subgraphs[number] if number < len(file.subgraphs) else file
        pairs = (
            tuple((port, graph.tensors[i].name if i < len(graph.tensors) else "") for port, i in ports)
            for ports in (inputs, outputs)
        )
        yield Signature(name, *pairs)
