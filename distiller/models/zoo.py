"""The one table of networks: what `distiller models` prints and `models.build` builds."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from distiller.errors import InputError
from distiller.models import convolutional, ds_cnn, efficientnet_lite, mobile, residual
from distiller.models.fusing import fuse
from distiller.utils.suggestions import unknown


@dataclass(frozen=True)
class Entry:
    """A network: its builder, the options that make it this one, and what it is for."""

    builder: Callable[..., keras.Model]
    summary: str
    options: dict[str, Any] = field(default_factory=dict)


_lite = efficientnet_lite.efficientnet_lite

ZOO: dict[str, Entry] = {
    "resnet8": Entry(residual.resnet, "student; the smallest residual network", {"depth": 8}),
    "resnet20": Entry(residual.resnet, "student; the field's usual one", {"depth": 20}),
    "resnet32": Entry(residual.resnet, "student", {"depth": 32}),
    "resnet56": Entry(residual.resnet, "teacher of the field's tables", {"depth": 56}),
    "resnet110": Entry(residual.resnet, "teacher of the field's tables", {"depth": 110}),
    "mobilenet_v2": Entry(mobile.mobilenet_v2, "student; option width (default 0.5)", {"width": 0.5}),
    "efficientnet_lite0": Entry(_lite, "teacher or student; options weights (imagenet) and resize", {}),
    "efficientnet_lite1": Entry(_lite, "teacher or student; the same, deeper", {"depth": 1.1}),
    "efficientnet_lite2": Entry(_lite, "teacher; the same, deeper and wider", {"width": 1.1, "depth": 1.2}),
    "ds_cnn": Entry(ds_cnn.ds_cnn, "student or teacher of spectrograms and windows; options width and units", {}),
    "wide": Entry(convolutional.wide, "teacher; wide and shallow, trains on a CPU", {}),
    "wrn_16_2": Entry(residual.wide_resnet, "student or small teacher", {"depth": 16, "width": 2}),
    "wrn_40_2": Entry(residual.wide_resnet, "teacher, for a GPU", {"depth": 40, "width": 2}),
    "wrn_28_10": Entry(residual.wide_resnet, "teacher, for a GPU", {"depth": 28, "width": 10}),
}


def names() -> list[str]:
    """The names that `build` takes."""
    return list(ZOO)


def check(name: str, options: Mapping[str, Any] | None = None) -> None:
    """Raise InputError where there is no network `name`, or it takes no such options: before any image is read."""
    if name not in ZOO:
        raise InputError(unknown("model", name, ZOO))
    parameters = inspect.signature(ZOO[name].builder).parameters
    known = [option for option in parameters if option not in ("classes", "input_shape", "dtype", "name")]
    for option in options or {}:
        if option not in known:
            raise InputError(f"Invalid options for model {name!r}: {unknown('option', option, known)}")


def build(
    name: str,
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    dtype: str = "float32",
    **options: Any,
) -> keras.Model:
    """A new network of the zoo, with raw pixels (batch, h, w, c) in [0, 255] in and logits (batch, `classes`) out.

    `options` override those of the table (`width=0.25`); `dtype` is a Keras policy such as "mixed_bfloat16". Weights
    come from Keras's global generator: call `keras.utils.set_random_seed` first to repeat a run.

    Raises:
        InputError: no such network; the message names the nearest.
        InputError: options that the network does not take, or no class at all.

    >>> from distiller import models
    >>> models.build("resnet8", classes=10).output_shape
    (None, 10)
    """
    check(name, options)
    if classes < 1:
        raise InputError(f"Invalid value for `classes`. Expected at least 1. Received: classes={classes}")
    entry = ZOO[name]
    try:
        model = entry.builder(classes, tuple(input_shape), dtype=dtype, name=name, **{**entry.options, **options})
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"Invalid options for model {name!r}: {error}. Received: {options}") from error
    return fuse(model)
