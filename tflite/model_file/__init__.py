"""TFLite files: flatbuffer, operators, interpreter, labels, metadata."""

__all__: list[str] = []
