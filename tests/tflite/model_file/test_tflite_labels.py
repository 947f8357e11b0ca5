"""Labels and normalisation inside a file, read by other means: Google's flatbuffer library and zip archives."""

import contextlib
import io
import json
import zipfile

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from flatbuffers import number_types
from keras import layers

import tflite
from tflite import ModelError

NAMES = ["cat", "dog, small", "Öhrchen"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 128, -1)(inputs)))
    return keras.Model(inputs, layers.Dense(3)(x), name="pets")


@pytest.fixture(scope="module")
def labelled(model, tmp_path_factory):
    return tflite.convert(model, tmp_path_factory.mktemp("labels") / "a.tflite", labels=NAMES).path


def entry(path):
    """The flatbuffer of the metadata."""
    content = path.read_bytes()
    read = schema.Model.GetRootAsModel(content, 0)
    [found] = [m for m in map(read.Metadata, range(read.MetadataLength())) if m.Name() == b"TFLITE_METADATA"]
    return read.Buffers(found.Buffer()).DataAsNumpy().tobytes()


class Table:
    """A table of a flatbuffer by the numbers of its fields in the published schema."""

    def __init__(self, buffer, place):
        self.table = flatbuffers.table.Table(bytearray(buffer), place)

    def at(self, field):
        return self.table.Offset(4 + 2 * field)

    def text(self, field):
        return self.table.String(self.at(field) + self.table.Pos).decode()

    def byte(self, field):
        return self.table.Get(number_types.Uint8Flags, self.at(field) + self.table.Pos)

    def child(self, field):
        return Table(self.table.Bytes, self.table.Indirect(self.at(field) + self.table.Pos))

    def children(self, field):
        start, count = self.table.Vector(self.at(field)), self.table.VectorLen(self.at(field))
        return [Table(self.table.Bytes, self.table.Indirect(start + 4 * i)) for i in range(count)]

    def floats(self, field):
        return self.table.GetVectorAsNumpy(number_types.Float32Flags, self.at(field)).tolist()


def root(buffer):
    return Table(buffer, flatbuffers.encode.Get(flatbuffers.packer.uoffset, buffer, 0))


def test_the_flatbuffer_says_what_the_schema_has(labelled):
    buffer = entry(labelled)
    assert buffer[4:8] == b"M001"
    metadata = root(buffer)
    assert metadata.text(0) == "pets"
    assert metadata.text(7) == "1.0.0"  # the parser it needs
    [subgraph] = metadata.children(3)
    [entered], [left] = subgraph.children(2), subgraph.children(3)
    content = entered.child(3)
    assert content.byte(0) == 2  # an image
    assert content.child(1).byte(0) == 1  # RGB
    [unit] = entered.children(4)
    assert unit.byte(0) == 1  # normalisation
    assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([0.0], [1.0])
    assert (entered.child(5).floats(1), entered.child(5).floats(0)) == ([0.0], [255.0])
    [file] = left.children(6)
    assert file.text(0) == "labels.txt"
    assert file.byte(2) == 2  # labels of an axis


def test_labels_are_a_stored_file_of_a_zip_archive(labelled):
    with zipfile.ZipFile(labelled) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.testzip() is None
        assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_STORED
        assert archive.read("labels.txt").decode() == "cat\ndog, small\nÖhrchen\n"


def test_they_are_read_back(labelled):
    assert tflite.labels(labelled) == tuple(NAMES)
    found = tflite.inspect(labelled).metadata
    assert (found.name, found.color_space, found.labels) == ("pets", "rgb", tuple(NAMES))
    assert (found.mean, found.std) == ((0.0,), (1.0,))
    assert json.loads(tflite.inspect(labelled).to_json())["metadata"]["labels"] == NAMES


@pytest.mark.parametrize("scheme", ["float16", "int8"])
def test_the_network_is_the_same(model, tmp_path, scheme):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype("uint8")
    options = {"scheme": scheme, "representative": images if scheme == "int8" else None}
    plain = tflite.convert(model, tmp_path / "plain.tflite", **options)
    named = tflite.convert(model, tmp_path / "named.tflite", labels=NAMES, **options)
    assert named.ops == plain.ops
    assert named.bytes == named.path.stat().st_size
    outputs = [tflite.model_file.interpreter.Runner(made.path).integers(images) for made in (plain, named)]
    np.testing.assert_array_equal(*outputs)
    assert tflite.inspect(plain.path).metadata is None
    again = tflite.convert(model, tmp_path / "again.tflite", labels=NAMES, **options)
    assert again.path.read_bytes() == named.path.read_bytes()


def test_normalization_travels(model, tmp_path):
    mean, std = [123.7, 116.3, 103.5], [58.4, 57.1, 57.4]
    path = tflite.convert(model, tmp_path / "a.tflite", normalization=(mean, std)).path
    found = tflite.inspect(path).metadata
    np.testing.assert_allclose((found.mean, found.std), (mean, std), rtol=1e-6)
    assert found.labels == ()
    [entered] = root(entry(path)).children(3)[0].children(2)
    np.testing.assert_allclose(entered.child(5).floats(0), (255 - np.array(mean)) / std, rtol=1e-5)
    with pytest.raises(ModelError, match=r"class labels. Received: '.*a\.tflite', which has none"):
        tflite.labels(path)


def test_both_numbers_of_a_normalization_are_as_many(model, tmp_path):
    """MediaPipe and the Task Library refuse a file of one mean and three deviations."""
    for normalization in ((127.5, (58.4, 57.1, 57.4)), ((123.7, 116.3, 103.5), 127.5)):
        path = tflite.convert(model, tmp_path / "a.tflite", normalization=normalization).path
        [entered] = root(entry(path)).children(3)[0].children(2)
        [unit] = entered.children(4)
        found = [unit.child(1).floats(field) for field in (0, 1)]
        np.testing.assert_allclose(found, [np.broadcast_to(one, 3) for one in normalization], rtol=1e-6)


def test_labels_of_a_text_file(model, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    marked = tmp_path / "marked.txt"
    marked.write_text(names.read_text(encoding="utf-8"), encoding="utf-8-sig")  # as some editors write it
    assert tflite.labels(tflite.convert(model, tmp_path / "a.tflite", labels=marked).path) == tuple(NAMES)
    assert tflite.labels(tflite.convert(model, tmp_path / "a.tflite", labels=names).path) == tuple(NAMES)
    assert tflite.labels(tflite.convert(model, tmp_path / "a.tflite", labels=str(names)).path) == tuple(NAMES)


def test_arguments(model, tmp_path):
    path = tmp_path / "a.tflite"
    for options, message in [
        ({"labels": ["cat", "dog"]}, "as many `labels` as 'pets' has outputs, 3. Received: 2"),
        ({"labels": ["cat", "dog", 3]}, "one line of text each. Received: 3"),
        ({"labels": ["cat", "dog", "a\nb"]}, r"one line of text each. Received: 'a\\nb'"),
        ({"labels": ["cat\n", "dog\n", "eel\n"]}, r"one line of text each. Received: 'cat\\n'"),
        ({"labels": ["cat", "dog", ""]}, "one line of text each. Received: ''"),
        ({"labels": tmp_path / "no.txt"}, r"a file with one a line. Received: '.*no\.txt'"),
        ({"normalization": (0.0, 0.0)}, "std not zero"),
        ({"normalization": ([1.0, 2.0], 1.0)}, r"each one number or 3, std not zero. Received: \(\[1.0, 2.0\], 1.0\)"),
        ({"normalization": (float("nan"), 1.0)}, "each one number or 3"),
        ({"normalization": ("a", "b")}, r"to be \(mean, std\). Received: \('a', 'b'\)"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.convert(model, path, **options)
    assert list(tmp_path.iterdir()) == []


def rewritten(path, target, change):
    """A copy of a file whose metadata `change` has gone over."""
    content = path.read_bytes()
    archive = content[content.index(b"PK\x03\x04") :]
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    [found] = [m for m in model.metadata if m.name == b"TFLITE_METADATA"]
    buffer = model.buffers[found.buffer]
    buffer.data = np.frombuffer(change(np.asarray(buffer.data, "uint8").tobytes()), "uint8")
    made = io.BytesIO()
    made.write(flatbuffer_utils.convert_object_to_bytearray(model))
    target.write_bytes(made.getvalue() + archive)
    return target


def metadata_with_labels(builder, *, outputs, at=None):
    """A flatbuffer of metadata with some outputs: a file of labels at one of them, or at the subgraph as a whole."""

    def table(*fields):
        builder.StartObject(8)
        for number, place in fields:
            builder.PrependUOffsetTRelativeSlot(number, place, 0)
        return builder.EndObject()

    def vector(places):
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()

    name = builder.CreateString("labels.txt")
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint8Slot(2, 3, 0)  # labels of values
    file = vector([builder.EndObject()])
    left = [table((6, file)) if number == at else table() for number in range(outputs)]
    ports = vector(left)
    subgraph = table((3, ports), *([] if at is not None else [(4, file)]))
    builder.Finish(table((3, vector([subgraph]))), b"M001")
    return bytes(builder.Output())


@pytest.mark.parametrize("at", [0, 1, 3, None])
def test_labels_of_a_detector(labelled, tmp_path, at):
    """Boxes, classes, scores and their number: the labels are at the second output, or at none."""
    buffer = metadata_with_labels(flatbuffers.Builder(256), outputs=4, at=at)
    path = rewritten(labelled, tmp_path / "a.tflite", lambda _: buffer)
    assert tflite.labels(path) == tuple(NAMES)
    assert tflite.inspect(path).metadata.labels == tuple(NAMES)


def test_damaged_metadata_is_one_message(labelled, tmp_path):
    for change in (lambda b: b[:40], lambda b: b"\xff" * 200, lambda b: b[:4] + b"M999" + b[8:]):
        path = rewritten(labelled, tmp_path / "a.tflite", change)
        with pytest.raises(ModelError, match=r"Expected TFLite Metadata\. Received: \d+ bytes that are damaged"):
            tflite.labels(path)


def test_any_damaged_byte_is_read_or_refused(labelled, tmp_path):
    """No other exception than the one that says so."""
    refused = 0
    for place in range(0, len(entry(labelled)), 7):
        path = rewritten(labelled, tmp_path / "a.tflite", lambda b, i=place: b[:i] + bytes([b[i] ^ 0xFF]) + b[i + 1 :])
        with contextlib.suppress(ModelError):
            tflite.labels(path)
            refused -= 1
        refused += 1
    assert refused > 5


def test_compressed_labels_are_read_and_damaged_ones_refused(labelled, tmp_path):
    """Other writers compress them, and begin with a mark of the encoding."""
    content = labelled.read_bytes()
    made = io.BytesIO(content[: content.index(b"PK\x03\x04")])
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "\ufeff" + "\n".join(NAMES))
    path = tmp_path / "a.tflite"
    path.write_bytes(made.getvalue())
    assert tflite.labels(path) == tuple(NAMES)
    packed = made.getvalue()
    start = packed.index(b"PK\x03\x04") + 30 + len("labels.txt")
    path.write_bytes(packed[:start] + b"\xff" + packed[start + 1 :])  # no such kind of block
    with pytest.raises(ModelError, match="Expected the labels in a zip archive at the end of the file"):
        tflite.labels(path)
    assert tflite.inspect(path).metadata is None  # it runs all the same


def test_labels_that_are_missing_from_the_file(labelled, tmp_path):
    content = labelled.read_bytes()
    path = tmp_path / "a.tflite"
    path.write_bytes(content[: content.index(b"PK\x03\x04")])
    with pytest.raises(ModelError, match="Expected the labels in a zip archive at the end of the file"):
        tflite.labels(path)
    assert tflite.inspect(path).metadata is None  # it runs all the same
