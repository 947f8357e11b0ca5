"""The class labels in a TFLite file."""

from pathlib import Path

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.interpreter import open_model
from tflite.model_file.metadata.reading import read_metadata


def labels(path: str | Path) -> tuple[str, ...]:
    """The classes of a classifier, in the order of its outputs, or of a detector, by their numbers.

    Args:
        path: TFLite file with TFLite Metadata, as `tflite.convert(..., labels=[…])` writes it, and others do.

    Raises:
        ModelError: missing, truncated or damaged file, or one without labels.
    """
    content = read_model(path)
    open_model(path, content=content)  # verifies the file
    found = read_metadata(content)
    if found is None or not found.labels:
        raise ModelError(
            f"Expected a TFLite file with class labels. Received: {str(path)!r}, which has none. "
            "Give them to tflite.convert: labels=[…]"
        )
    return found.labels
