"""A wide and shallow convolutional network: the teacher that a CPU can train."""

import keras
from keras import layers

from distiller.models import blocks


def wide(
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    widths: tuple[int, ...] = (64, 256, 256),
    stem: int = 32,
    reduction: int | None = None,
    dtype: str = "float32",
    name: str = "wide",
) -> keras.Model:
    """Stages of two 3×3 convolutions, the first with max pooling, as in
    airbench (Jordan 2024, 2404.00498).

    Few wide layers keep the matrix units of a CPU busy, where a deep narrow ResNet of the same accuracy does not.
    Feature layers: `stage1` … `stageN` (each half the size of the one before), `features`, `logits`. Above 96
    pixels the stem makes images smaller first, by `reduction` (`blocks.reduction_of`).
    """
    reduction = blocks.reduction_of(input_shape, reduction)
    inputs, x = blocks.pixels(input_shape, dtype)
    start = {"strides": min(reduction, 2), "padding": "same", "kernel_initializer": "he_normal"}
    x = blocks.pooled(layers.Conv2D(stem, 2, **start, dtype=dtype, name="stem")(x), reduction, dtype)
    for stage, filters in enumerate(widths, start=1):
        x = blocks.bare_conv(x, filters, f"stage{stage}_a", dtype=dtype)
        x = layers.MaxPooling2D(dtype=dtype, name=f"stage{stage}_pool")(x)
        x = blocks.normalize(x, f"stage{stage}_a", activation="relu", dtype=dtype)
        h = blocks.conv(x, filters, f"stage{stage}_b", activation=None, dtype=dtype)
        h = layers.Add(dtype=dtype, name=f"stage{stage}_add")([x, h])
        x = layers.Activation("relu", dtype=dtype, name=f"stage{stage}")(h)
    return blocks.classify(inputs, x, classes, name)
