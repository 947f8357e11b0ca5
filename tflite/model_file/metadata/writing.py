"""TFLite Metadata into a file."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite.model_file.metadata import schema
from tflite.model_file.metadata.schema import Metadata

# Zip archives have no earlier time, and the same input is to give the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def metadata_buffer(metadata: Metadata, *, image: bool, input_name: str, output_name: str) -> bytes:
    """The flatbuffer of the metadata of a model with one input and one output.

    Args:
        metadata: what to say.
        image: whether the input is an image.
        input_name: of the signature.
        output_name: of the signature.
    """
    writer = _Writer()
    files = [writer.file(schema.LABELS_FILE, schema.AXIS_LABELS, "Names of the classes")] if metadata.labels else []
    mean, std = np.asarray(metadata.mean), np.asarray(metadata.std)
    ends = np.stack([(0 - mean) / std, (255 - mean) / std])
    entered = writer.tensor(
        input_name,
        content=writer.image(schema.COLORS[metadata.color_space]) if image else writer.features(),
        units=[writer.normalization(mean, std)],
        stats=writer.stats(ends.min(axis=0), ends.max(axis=0)),
    )
    left = writer.tensor(output_name, content=writer.features(), files=files)
    subgraph = writer.table(
        {schema.Subgraph.INPUTS: writer.vector([entered]), schema.Subgraph.OUTPUTS: writer.vector([left])}
    )
    root = writer.table(
        {
            schema.Model.NAME: writer.text(metadata.name),
            schema.Model.DESCRIPTION: writer.text(metadata.description),
            schema.Model.SUBGRAPHS: writer.vector([subgraph]),
            schema.Model.MIN_PARSER: writer.text(schema.PARSER),
        }
    )
    return writer.finish(root)


def with_labels(content: bytes, labels: Sequence[str]) -> bytes:
    """A file with a text file of labels, one a line, in a zip archive at its end.

    The text is not compressed: readers on phones map it.
    """
    buffer = io.BytesIO(content)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(schema.LABELS_FILE, _NO_TIME), "".join(f"{label}\n" for label in labels))
    return buffer.getvalue()


class _Writer:
    """Builds a flatbuffer from the leaves up; every method returns the place of what it wrote."""

    def __init__(self) -> None:
        import flatbuffers

        self._builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> int:
        return self._builder.CreateString(value)

    def numbers(self, values: np.ndarray) -> int:
        return self._builder.CreateNumpyVector(np.atleast_1d(values).astype("<f4"))

    def vector(self, places: Sequence[int]) -> int:
        self._builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self._builder.PrependUOffsetTRelative(place)
        return self._builder.EndVector()

    def table(self, places: dict[int, int], small: dict[int, int] | None = None) -> int:
        """A table with fields that refer to places, and with fields of one byte."""
        small = small or {}
        self._builder.StartObject(max([*places, *small], default=-1) + 1)
        for field, place in places.items():
            self._builder.PrependUOffsetTRelativeSlot(field, place, 0)
        for field, value in small.items():
            self._builder.PrependUint8Slot(field, value, 0)
        return self._builder.EndObject()

    def file(self, name: str, kind: int, description: str) -> int:
        texts = {schema.File.NAME: self.text(name), schema.File.DESCRIPTION: self.text(description)}
        return self.table(texts, {schema.File.KIND: kind})

    def features(self) -> int:
        return self.table({1: self.table({})}, {0: schema.FEATURES})

    def image(self, colors: int) -> int:
        return self.table({1: self.table({}, {0: colors})}, {0: schema.IMAGE})

    def normalization(self, mean: np.ndarray, std: np.ndarray) -> int:
        options = self.table({0: self.numbers(mean), 1: self.numbers(std)})
        return self.table({1: options}, {0: schema.NORMALIZATION})

    def stats(self, low: np.ndarray, high: np.ndarray) -> int:
        return self.table({0: self.numbers(high), 1: self.numbers(low)})

    def tensor(self, name: str, *, content: int, units: Any = (), stats: int = 0, files: Any = ()) -> int:
        fields = {schema.Tensor.NAME: self.text(name), schema.Tensor.CONTENT: content}
        if units:
            fields[schema.Tensor.UNITS] = self.vector(units)
        if stats:
            fields[schema.Tensor.STATS] = stats
        if files:
            fields[schema.Tensor.FILES] = self.vector(files)
        return self.table(fields)

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, file_identifier=schema.IDENTIFIER)
        return bytes(self._builder.Output())
