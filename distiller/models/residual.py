"""Residual networks for small images."""

import keras
from keras import layers

from distiller.errors import InputError
from distiller.models import blocks


def resnet(
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    depth: int,
    width: int = 16,
    reduction: int | None = None,
    dtype: str = "float32",
    name: str = "resnet",
) -> keras.Model:
    """ResNet of 6n+2 layers for CIFAR (He et al. 2015, 1512.03385, section 4.2), with 1×1 projections.

    Feature layers: `stage1`, `stage2`, `stage3` (width, 2·width, 4·width channels; each halves the size of the one
    before), `features`, `logits`. Above 96 pixels the stem makes images smaller first, by `reduction`
    (`blocks.reduction_of`).
    """
    if depth < 8 or (depth - 2) % 6:
        raise InputError(f"Invalid value for `depth`. Expected 6n+2 with n ≥ 1. Received: depth={depth}")
    reduction = blocks.reduction_of(input_shape, reduction)
    inputs, x = blocks.pixels(input_shape, dtype)
    x = blocks.conv(x, width, "stem", strides=min(reduction, 2), activation="relu", dtype=dtype)
    x = blocks.pooled(x, reduction, dtype)
    units = (depth - 2) // 6
    for stage in (1, 2, 3):
        for unit in range(units):
            last = f"stage{stage}" if unit == units - 1 else f"stage{stage}_{unit + 1}"
            x = _unit(x, width * 2 ** (stage - 1), 2 if stage > 1 and unit == 0 else 1, last, dtype)
    return blocks.classify(inputs, x, classes, name)


def _unit(x, filters: int, strides: int, name: str, dtype: str):
    h = blocks.conv(x, filters, f"{name}_a", strides=strides, activation="relu", dtype=dtype)
    h = blocks.conv(h, filters, f"{name}_b", activation=None, dtype=dtype)
    if strides > 1 or x.shape[-1] != filters:
        x = blocks.conv(x, filters, f"{name}_skip", kernel=1, strides=strides, activation=None, dtype=dtype)
    x = layers.Add(dtype=dtype, name=f"{name}_add")([x, h])
    return layers.Activation("relu", dtype=dtype, name=name)(x)


def wide_resnet(
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    depth: int,
    width: int,
    reduction: int | None = None,
    dtype: str = "float32",
    name: str = "wide_resnet",
) -> keras.Model:
    """Wide ResNet-`depth`-`width` of 6n+4 layers, pre-activation (Zagoruyko & Komodakis 2016, 1605.07146).

    Feature layers: `stage1`, `stage2`, `stage3` (before the next normalization), `features`, `logits`.
    Above 96 pixels the stem makes images smaller first, by `reduction` (`blocks.reduction_of`).
    """
    if depth < 10 or (depth - 4) % 6:
        raise InputError(f"Invalid value for `depth`. Expected 6n+4 with n ≥ 1. Received: depth={depth}")
    reduction = blocks.reduction_of(input_shape, reduction)
    inputs, x = blocks.pixels(input_shape, dtype)
    x = blocks.pooled(blocks.bare_conv(x, 16, "stem", strides=min(reduction, 2), dtype=dtype), reduction, dtype)
    units = (depth - 4) // 6
    for stage in (1, 2, 3):
        for unit in range(units):
            last = f"stage{stage}" if unit == units - 1 else f"stage{stage}_{unit + 1}"
            x = _wide_unit(x, 16 * width * 2 ** (stage - 1), 2 if stage > 1 and unit == 0 else 1, last, dtype)
    return blocks.classify(inputs, blocks.normalize(x, "last", activation="relu", dtype=dtype), classes, name)


def _wide_unit(x, filters: int, strides: int, name: str, dtype: str):
    h = blocks.normalize(x, f"{name}_pre", activation="relu", dtype=dtype)
    if strides > 1 or x.shape[-1] != filters:
        x = blocks.bare_conv(h, filters, f"{name}_skip", kernel=1, strides=strides, dtype=dtype)
    h = blocks.conv(h, filters, f"{name}_a", strides=strides, activation="relu", dtype=dtype)
    h = blocks.bare_conv(h, filters, f"{name}_b", dtype=dtype)
    return layers.Add(dtype=dtype, name=name)([x, h])
