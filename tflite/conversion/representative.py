"""The samples that ranges of activations are measured on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.conversion.schemes import INTEGER
from tflite.errors import ModelError
from tflite.keras_graph.interface import Interface
from tflite.utils import samples
from tflite.utils.feeds import feeds

if TYPE_CHECKING:
    import keras


def representative_samples(
    given: Any, scheme: str, model: "keras.Model", named: Interface, *, pixels: bool
) -> list[np.ndarray] | None:
    """All samples, an array for each input in its type, or None where the scheme needs none.

    Args:
        given: of one input an array (n, …), or an iterable of batches, with labels or without; of several see `feeds`.
        scheme: one of `SCHEMES`.
        model: with inputs of fixed shapes.
        named: names of its inputs.
        pixels: whether raw pixels in [0, 255] enter the file of one input as they are.

    Raises:
        ModelError: samples where the scheme takes none, none where it needs them, or others than it needs.
    """
    if scheme not in INTEGER:
        if given is not None:
            schemes = " or ".join(f"scheme={name!r}" for name in INTEGER)
            raise ModelError(f"Expected `representative` only with {schemes}. Received: scheme={scheme!r}")
        return None
    if given is None:
        raise ModelError(f"Expected `representative` images for scheme={scheme!r}. Received: None")
    if named.single:
        parts: Iterable[Any] = ([part] for part, _ in samples.batches(given, labelled=False))
    else:
        parts = (feed for feed, _ in feeds(given, named.inputs, labelled=False))
    columns = list(zip(*parts, strict=True))
    if not columns:
        columns = [()] * len(model.inputs)
    stacked = []
    for symbol, name, column in zip(model.inputs, named.inputs, columns, strict=True):
        of = "" if len(model.inputs) == 1 else f" for {name!r}"
        array = _stacked(column, tuple(symbol.shape[1:]), of)
        if symbol.dtype == "float32":
            stacked.append(_numbers(array.astype("float32"), of, pixels=pixels and len(model.inputs) == 1))
        else:
            stacked.append(_places(array, symbol.dtype, of))
    return stacked


def _stacked(parts: tuple[np.ndarray, ...], shape: tuple[int, ...], of: str) -> np.ndarray:
    wrong = next((part.shape for part in parts if part.shape[1:] != shape), None) if parts else (0,)
    if wrong is not None or not sum(map(len, parts)):
        raise ModelError(
            f"Expected `representative` images of shape ({', '.join(map(str, ('n', *shape)))}){of}. "
            f"Received: {wrong or parts[0].shape}"
        )
    return np.concatenate(parts)


def _numbers(stacked: np.ndarray, of: str, *, pixels: bool) -> np.ndarray:
    low, high = float(stacked.min()), float(stacked.max())
    if not np.isfinite([low, high]).all():
        raise ModelError(f"Expected finite `representative` images{of}. Received: values that are not")
    if pixels and (low < 0 or not 1 < high <= 255):
        raise ModelError(
            "Expected `representative` images of raw pixels in [0, 255] for input_type='uint8'. Received: values in "
            f"[{low:g}, {high:g}]. A model of scaled images takes input_type='int8'"
        )
    if pixels or (of and _look_like_pixels(stacked)):
        # The range of the input is that of the images. With both ends of the scale among them its step is one pixel
        # value, and raw pixels go in unchanged. Photographs have both; elsewhere the extreme pixels are moved there.
        stacked.flat[stacked.argmin()], stacked.flat[stacked.argmax()] = 0.0, 255.0
    return stacked


def _look_like_pixels(stacked: np.ndarray) -> bool:
    """Return whether one of several inputs has raw pixels: images of whole numbers from 0 to 255, some of them high."""
    return bool(
        stacked.ndim == 4 and stacked.min() >= 0 and 127 < stacked.max() <= 255 and (stacked == np.rint(stacked)).all()
    )


def _places(stacked: np.ndarray, dtype: str, of: str) -> np.ndarray:
    """Samples of an integer input, such as numbers of words."""
    if stacked.dtype.kind not in "iu" and not (stacked.dtype.kind == "f" and (stacked == np.rint(stacked)).all()):
        raise ModelError(f"Expected whole numbers in `representative`{of}, which is {dtype}. Received: {stacked.dtype}")
    return stacked.astype(dtype)
