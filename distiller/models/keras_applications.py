"""Backbones of `keras.applications`, with their preprocessing inside and a new head."""

import inspect
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import layers

from distiller.errors import InputError, WorkError
from distiller.models.moving_statistics import limit_momentum
from distiller.utils.suggestions import unknown

PREFIX = "keras:"
# Options that this module sets itself.
_OURS = ("include_top", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation", "name")


def names() -> list[str]:
    """Names of the networks in `keras.applications`, as `keras:NAME` takes them."""
    return [name for name in dir(keras.applications) if callable(getattr(keras.applications, name))]


def check(name: str, options: dict[str, Any]) -> None:
    """Raise InputError where `keras.applications` has no network `name`, or it takes no such options."""
    if name not in names():
        raise InputError(unknown("network of keras.applications", name, names()))
    known = [*(p for p in inspect.signature(_builder(name)).parameters if p not in _OURS)]
    for option in options:
        if option not in known:
            raise InputError(f"Invalid options for model {PREFIX + name!r}: {unknown('option', option, known)}")
    if options.get("weights", "none") not in ("none", None, "imagenet"):
        raise InputError(f"Expected weights of imagenet or none for {PREFIX + name!r}. Received: {options['weights']}")


def build(name: str, classes: int, input_shape: tuple[int, int, int], *, dtype: str, **options: Any) -> keras.Model:
    """A network of `keras.applications` on raw pixels (batch, h, w, c) in [0, 255], with logits (batch, classes) out.

    The preprocessing that Keras has as a function beside the network is a layer of it here; where that swaps red and
    blue, the kernel of the first convolution is swapped instead. The average over positions is named `features`, the
    new head `logits`. Grey images become three equal channels. Moving statistics follow short trainings: see
    `moving_statistics`.

    Args:
        name: as in `keras.applications`.
        classes: of the new head.
        input_shape: height, width and channels (1 or 3) of the images.
        dtype: a Keras policy.
        options: `weights`, "imagenet" or "none" (the default), and the builder's own, such as `alpha`.

    Raises:
        InputError: no such network or options; images smaller than it takes.
        WorkError: the ImageNet weights cannot be downloaded.
    """
    check(name, options)
    if input_shape[-1] not in (1, 3):
        raise InputError(f"Expected images of 1 or 3 channels for {PREFIX + name}. Received: {input_shape}")
    weights = options.pop("weights", None)
    weights = None if weights == "none" else weights
    matrix, offset = _preprocessing(name)
    swapped = _swaps_colours(matrix)
    scale = np.abs(matrix).sum(axis=1)  # one number per row
    inputs = layers.Input(input_shape, name="pixels")
    x = inputs
    if input_shape[-1] == 1:
        x = layers.Concatenate(name="three_channels")([x, x, x])
    # The network's first kernel is swapped below, so the numbers of the layer are in the order red, green, blue.
    order = slice(None, None, -1) if swapped else slice(None)
    if not (np.allclose(scale, 1) and np.allclose(offset, 0)):
        policy = "float32" if dtype.startswith("mixed") else dtype
        x = layers.Rescaling(_numbers(scale[order]), offset=_numbers(offset[order]), dtype=policy, name="scale")(x)
    backbone = _backbone(name, x, (*input_shape[:2], 3), weights, dtype, options)
    if swapped:
        _swap_first_kernel(backbone)
    limit_momentum(backbone, trained=weights is not None)
    pooled = backbone.output
    if len(pooled.shape) == 4:
        pooled = layers.GlobalAveragePooling2D(name="features")(pooled)
    logits = layers.Dense(classes, dtype="float32", name="logits")(pooled)
    return keras.Model(inputs, logits, name=name)


def _builder(name: str) -> Callable[..., keras.Model]:
    return getattr(keras.applications, name)


def _backbone(
    name: str,
    x: keras.KerasTensor,
    shape: tuple[int, int, int],
    weights: str | None,
    dtype: str,
    options: dict[str, Any],
) -> keras.Model:
    try:
        with _policy(dtype), warnings.catch_warnings():
            # Of sizes for which Keras has no weights of its own: those of another size are used.
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            # ConvNeXt normalizes what it has averaged, and does so itself.
            pooling = "avg" if name.startswith("ConvNeXt") else None
            return _builder(name)(
                include_top=False, weights=weights, input_tensor=x, input_shape=shape, pooling=pooling, **options
            )
    except Exception as error:
        if weights and _is_download(error):
            raise WorkError(
                f"The ImageNet weights of {PREFIX + name} cannot be downloaded: {error}. Keras fetches them from "
                "storage.googleapis.com once and keeps them in ~/.keras/models; or train without: weights: none"
            ) from error
        if isinstance(error, ValueError | TypeError):
            raise InputError(
                f"keras.applications.{name} refuses images of {shape[0]}×{shape[1]} pixels or these options: {error}"
            ) from error
        raise


def _is_download(error: Exception) -> bool:
    return isinstance(error, OSError) or "URL fetch failure" in str(error)


@contextmanager
def _policy(dtype: str):
    """Let new layers have a policy; these builders take none."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _preprocessing(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) and offset (3,) of the network's `preprocess_input`, read off what it makes of four colours."""
    module = sys.modules[inspect.unwrap(_builder(name)).__module__]
    colours = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).astype("float32")
    found = np.asarray(module.preprocess_input(colours[:, None, None].copy(), data_format="channels_last"))[:, 0, 0]
    offset = found[0].astype("float64")
    return (found[1:] - offset).T / 255, offset


def _swaps_colours(matrix: np.ndarray) -> bool:
    """Return whether a preprocessing makes blue, green, red of red, green, blue."""
    straight = np.allclose(matrix, np.diag(np.diag(matrix)), atol=1e-6)
    if not straight and not np.allclose(matrix[::-1], np.diag(np.diag(matrix[::-1])), atol=1e-6):
        raise InputError("Expected a preprocessing that scales each colour. Received: one that mixes them")
    return not straight


def _numbers(values: np.ndarray) -> float | list[float]:
    """One number where all are the same: an integer file takes it into the scale of its input."""
    rounded = [float(np.float32(value)) for value in values]
    return rounded[0] if len(set(rounded)) == 1 else rounded


def _swap_first_kernel(backbone: keras.Model) -> None:
    first = next(layer for layer in backbone.layers if isinstance(layer, layers.Conv2D))
    first.kernel.assign(np.asarray(first.kernel)[:, :, ::-1])
