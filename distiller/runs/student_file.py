"""The TFLite file of a network: written, and checked against the network and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

import tflite
from distiller.data import Split
from tflite.conversion.schemes import INTEGER


def write(
    network: keras.Model, path: Path, scheme: str, images: Split | None, classes: Sequence[str]
) -> tflite.Conversion:
    """Convert a network to a TFLite file that holds the class names.

    Args:
        network: of images, with logits (batch, classes).
        path: of the `.tflite` file.
        scheme: of `tflite.convert`.
        images: to calibrate integer files; None for a quantization-aware network, which has learned its ranges.
        classes: names, in the order of the logits.

    Raises:
        tflite.ConversionError: the network cannot be converted.
    """
    representative = images.images if images is not None and scheme in INTEGER else None
    return tflite.convert(network, path, scheme=scheme, representative=representative, labels=list(classes))


def check(network: keras.Model, path: Path, split: Split) -> dict[str, Any]:
    """Run the file on labelled images: its "accuracy", and "agreement" and "mean_lsb" with `network`.

    It is apart from `write`, since a run writes all of its files before it reads the test split.
    """
    parity = tflite.compare(network, path, split.images)
    return {
        "accuracy": tflite.evaluate(path, (split.images, split.labels), task="classification").accuracy,
        "agreement": parity.agreement,
        "mean_lsb": parity.mean_lsb,
    }
