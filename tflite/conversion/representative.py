"""The images that ranges of activations are measured on."""

from typing import Any

import numpy as np

from tflite.conversion.schemes import INTEGER
from tflite.errors import ModelError
from tflite.utils import samples


def representative_images(images: Any, scheme: str, shape: tuple[int, ...], *, pixels: bool) -> np.ndarray | None:
    """All images in one array, float32, or None where the scheme needs none.

    Args:
        images: an array (n, *shape), or an iterable of batches, with labels or without.
        scheme: one of `SCHEMES`.
        shape: of one image.
        pixels: whether raw pixels in [0, 255] enter the file as they are.

    Raises:
        ModelError: images where the scheme takes none, none where it needs them, or others than it needs.
    """
    if scheme not in INTEGER:
        if images is not None:
            schemes = " or ".join(f"scheme={name!r}" for name in INTEGER)
            raise ModelError(f"Expected `representative` only with {schemes}. Received: scheme={scheme!r}")
        return None
    if images is None:
        raise ModelError(f"Expected `representative` images for scheme={scheme!r}. Received: None")
    parts = [part for part, _ in samples.batches(images, labelled=False)]
    wrong = next((part.shape for part in parts if part.shape[1:] != shape), None) if parts else (0,)
    if wrong is not None or not sum(map(len, parts)):
        raise ModelError(
            f"Expected `representative` images of shape (n, {', '.join(map(str, shape))}). "
            f"Received: {wrong or parts[0].shape}"
        )
    stacked = np.concatenate(parts).astype("float32")
    low, high = float(stacked.min()), float(stacked.max())
    if not np.isfinite([low, high]).all():
        raise ModelError("Expected finite `representative` images. Received: values that are not")
    if pixels and (low < 0 or not 1 < high <= 255):
        raise ModelError(
            "Expected `representative` images of raw pixels in [0, 255] for input_type='uint8'. Received: values in "
            f"[{low:g}, {high:g}]. A model of scaled images takes input_type='int8'"
        )
    if pixels:
        # The range of the input is that of the images. With both ends of the scale among them its step is one pixel
        # value, and raw pixels go in unchanged. Photographs have both; elsewhere the extreme pixels are moved there.
        stacked.flat[stacked.argmin()], stacked.flat[stacked.argmax()] = 0.0, 255.0
    return stacked
