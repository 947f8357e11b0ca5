"""A TFLite file as objects that can be changed, and back, as TensorFlow's converter does it."""

from typing import Any


def unpacked(content: bytes) -> Any:
    """The `ModelT` of a file."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def packed(model: Any) -> bytes:
    """The file of a `ModelT`."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
