"""Labelled images as a bridge is given them."""

from typing import Any

import keras
import numpy as np

from distiller.errors import InputError


def labelled(images: Any, labels: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The images that have a label, and their labels (n,).

    Args:
        images: (n, …).
        labels: integers (n,) or (n, 1) below `classes`; −1 for an image without a label.
        classes: how many there are.

    Raises:
        InputError: labels that are no integers, not one an image, or out of range, or no labelled images.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.shape == (len(images), 1):
        labels = labels[:, 0]
    if labels.shape != (len(images),):
        raise InputError(
            f"Expected one class for each of {len(images)} images, as integers of shape ({len(images)},). "
            f"Received: shape {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"Expected labels that are integers, the classes. Received: {labels.dtype}")
    if not (labels >= 0).any():
        raise InputError("Expected labelled images. Received: none")
    if labels.max() >= classes:
        raise InputError(f"Expected labels below {classes}, the number of classes. Received: {labels.max()}")
    return images[labels >= 0], labels[labels >= 0]


def labelled_outputs(
    network: keras.Model, train: Any, validation: Any, classes: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outputs of `network` for the labelled images of two pairs (images, labels), and their labels.

    Returns:
        For each pair float32 outputs (n, …) and labels (n,), without the images of label −1.

    Raises:
        InputError: as `labelled`, or a class without images in `train`.
    """
    kept = [labelled(images, labels, classes) for images, labels in (train, validation)]
    found = np.unique(kept[0][1])
    if len(found) < classes:
        raise InputError(f"Expected labelled images of each of the {classes} classes. Received: classes {found}")
    return [(network.predict(images, batch_size=256, verbose=0).astype("float32"), labels) for images, labels in kept]
