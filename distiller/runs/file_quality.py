"""How good a TFLite file is beside the network that it was made from."""

from pathlib import Path
from typing import Any

import keras

import tflite
from distiller.data import Split


def measured(model: keras.Model, path: Path, split: Split) -> dict[str, Any]:
    """Accuracy of the file on labelled images, and its agreement with `model`, as a report has them."""
    parity = tflite.compare(model, path, split.images)
    return {
        "accuracy": tflite.evaluate(path, (split.images, split.labels)).accuracy,
        "agreement": parity.agreement,
        "mean_lsb": parity.mean_lsb,
    }
