"""The numbers of fields and kinds in the schema of TFLite Metadata that are used here.

Source: `metadata_schema.fbs`, version 1.1.0, of the TensorFlow Lite Support Library. The generated module is
published in `tflite-support` alone, which needs a protobuf below 4, while TensorFlow needs a newer one.
"""

from dataclasses import dataclass

from tflite.utils.record import Record

# The name of the entry in the model, and the flatbuffer's identifier.
ENTRY, IDENTIFIER = "TFLITE_METADATA", b"M001"
# The oldest parser that knows everything that is written here.
PARSER = "1.0.0"
LABELS_FILE = "labels.txt"

# Kinds of an associated file: labels of an axis, labels of values.
AXIS_LABELS, VALUE_LABELS = 2, 3
# Members of the unions `ContentProperties` and `ProcessUnitOptions`.
FEATURES, IMAGE = 1, 2
NORMALIZATION = 1
COLORS = {"unknown": 0, "rgb": 1, "grayscale": 2}


class Model:
    """Fields of `ModelMetadata`."""

    NAME, DESCRIPTION, _VERSION, SUBGRAPHS, _AUTHOR, _LICENSE, FILES, MIN_PARSER = range(8)


class Subgraph:
    """Fields of `SubGraphMetadata`."""

    _NAME, _DESCRIPTION, INPUTS, OUTPUTS, FILES = range(5)


class Tensor:
    """Fields of `TensorMetadata`."""

    NAME, DESCRIPTION, _DIMENSIONS, CONTENT, UNITS, STATS, FILES = range(7)


class File:
    """Fields of `AssociatedFile`."""

    NAME, DESCRIPTION, KIND = range(3)


@dataclass(frozen=True)
class Metadata(Record):
    """Metadata of a file.

    An input is (pixel − mean) / std, one number each for all channels or one a channel; (0,) and (1,) where raw pixels
    go in. For an integer input, that number is then quantized with the input's scale and zero point. `labels` are the
    classes in the order of the outputs, or, of a detector, of the numbers of its output of classes. Each is empty where
    the file does not say.
    """

    name: str = ""
    description: str = ""
    color_space: str = "unknown"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
