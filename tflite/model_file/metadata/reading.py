"""TFLite Metadata out of a file, whoever wrote it."""

import io
import lzma
import struct
import zipfile
import zlib
from typing import Any

from tflite.errors import ModelError
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.metadata import schema
from tflite.model_file.metadata.schema import Metadata

# No list of labels is longer; a zip archive may claim anything.
_MOST_BYTES = 2**24
_COLORS = {number: name for name, number in schema.COLORS.items()}


def read_metadata(content: bytes) -> Metadata | None:
    """Read the metadata in the content of a TFLite file; None where there is none.

    Raises:
        ModelError: damaged metadata, or labels that are missing from the file.
    """
    buffer = Flatbuffer(content).metadata.get(schema.ENTRY)
    if buffer is None:
        return None
    try:
        return _parsed(buffer, content)
    except (IndexError, KeyError, OverflowError, TypeError, UnicodeDecodeError, ValueError, struct.error) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"Expected TFLite Metadata. Received: {len(buffer)} bytes that are damaged ({error})"
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        NotImplementedError,
        RuntimeError,
        EOFError,
    ) as error:
        raise ModelError(f"Expected the labels in a zip archive at the end of the file. Received: {error}") from error


def metadata_or_none(content: bytes) -> Metadata | None:
    """The same, and None too where it is damaged: the file runs all the same. `tflite.labels` says what is wrong."""
    try:
        return read_metadata(content)
    except ModelError:
        return None


def _parsed(buffer: bytes, content: bytes) -> Metadata:
    if buffer[4:8] != schema.IDENTIFIER:
        raise ValueError(f"its identifier is {buffer[4:8]!r}")
    root = _Table.root(buffer)
    found: dict[str, Any] = {"name": root.text(schema.Model.NAME), "description": root.text(schema.Model.DESCRIPTION)}
    for subgraph in root.tables(schema.Model.SUBGRAPHS)[:1]:
        for entered in subgraph.tables(schema.Subgraph.INPUTS)[:1]:
            found |= _input(entered)
        # A detector has them at the output of its classes, which comes after that of its boxes.
        outputs = [
            file for left in subgraph.tables(schema.Subgraph.OUTPUTS) for file in left.tables(schema.Tensor.FILES)
        ]
        for file in (*outputs, *subgraph.tables(schema.Subgraph.FILES), *root.tables(schema.Model.FILES)):
            if file.byte(schema.File.KIND) in (schema.AXIS_LABELS, schema.VALUE_LABELS):
                return Metadata(**found, labels=_labels(content, file.text(schema.File.NAME)))
    return Metadata(**found)


def _input(tensor: "_Table") -> dict[str, Any]:
    found: dict[str, Any] = {}
    content = tensor.table(schema.Tensor.CONTENT)
    if content is not None and content.byte(0) == schema.IMAGE and (image := content.table(1)) is not None:
        found["color_space"] = _COLORS.get(image.byte(0), "unknown")
    for unit in tensor.tables(schema.Tensor.UNITS):
        if unit.byte(0) == schema.NORMALIZATION and (options := unit.table(1)) is not None:
            found |= {"mean": options.numbers(0), "std": options.numbers(1)}
    return found


def _labels(content: bytes, name: str) -> tuple[str, ...]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(name).file_size
        if size > _MOST_BYTES:
            raise ModelError(f"Expected labels of at most {_MOST_BYTES:,} bytes. Received: {name!r} of {size:,}")
        return tuple(archive.read(name).decode("utf-8-sig").splitlines())


class _Table:
    """A table of a flatbuffer that nobody has verified: what points outside of it raises."""

    def __init__(self, buffer: bytes, place: int):
        self._buffer, self._place = buffer, place

    @classmethod
    def root(cls, buffer: bytes) -> "_Table":
        return cls(buffer, *struct.unpack_from("<I", buffer, 0))

    def text(self, field: int) -> str:
        place = self._referred(field)
        if place is None:
            return ""
        (length,) = struct.unpack_from("<I", self._buffer, place)
        return struct.unpack_from(f"{length}s", self._buffer, place + 4)[0].decode()

    def byte(self, field: int) -> int:
        place = self._field(field)
        return 0 if place is None else self._buffer[place]

    def numbers(self, field: int) -> tuple[float, ...]:
        place = self._referred(field)
        if place is None:
            return ()
        (length,) = struct.unpack_from("<I", self._buffer, place)
        return struct.unpack_from(f"<{length}f", self._buffer, place + 4)

    def table(self, field: int) -> "_Table | None":
        place = self._referred(field)
        return None if place is None else _Table(self._buffer, place)

    def tables(self, field: int) -> list["_Table"]:
        place = self._referred(field)
        if place is None:
            return []
        (length,) = struct.unpack_from("<I", self._buffer, place)
        offsets = struct.unpack_from(f"<{length}I", self._buffer, place + 4)
        return [_Table(self._buffer, place + 4 + 4 * i + offset) for i, offset in enumerate(offsets)]

    def _referred(self, field: int) -> int | None:
        place = self._field(field)
        return None if place is None else place + struct.unpack_from("<I", self._buffer, place)[0]

    def _field(self, field: int) -> int | None:
        """Position of a field; None for one that is not written."""
        (distance,) = struct.unpack_from("<i", self._buffer, self._place)
        layout = self._place - distance
        (size,) = struct.unpack_from("<H", self._buffer, layout)
        if 4 + 2 * field >= size:
            return None
        (offset,) = struct.unpack_from("<H", self._buffer, layout + 4 + 2 * field)
        return self._place + offset if offset else None
