"""MobileNetV2 for small images."""

import keras

from distiller.errors import InputError
from distiller.models import blocks
from distiller.models.inverted import round_channels, unit

# Expansion, channels, units, stride of the first unit: table 2 of the paper, but for the stride of stage 2, which is 1:
# 32×32 images have no resolution to lose.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    width: float = 1.0,
    reduction: int | None = None,
    dtype: str = "float32",
    name: str = "mobilenet_v2",
) -> keras.Model:
    """MobileNetV2 (Sandler et al. 2018, 1801.04381, table 2) with width multiplier `width`.

    Channels are rounded to multiples of 8. Feature layers: `stage1` … `stage7`, `features`, `logits`. The `reduction`
    of the paper is 4, by the stem and stage 2; by default it follows the size of the images (`blocks.reduction_of`).
    """
    if width <= 0:
        raise InputError(f"Invalid value for `width`. Expected a positive number. Received: width={width}")
    reduction = blocks.reduction_of(input_shape, reduction)
    inputs, x = blocks.pixels(input_shape, dtype)
    x = blocks.conv(x, round_channels(32 * width), "stem", strides=min(reduction, 2), activation="relu6", dtype=dtype)
    for stage, (expansion, filters, units, strides) in enumerate(_STAGES, start=1):
        strides = 2 if stage == 2 and reduction == 4 else strides
        for index in range(units):
            last = f"stage{stage}" if index == units - 1 else f"stage{stage}_{index + 1}"
            x = unit(x, expansion, round_channels(filters * width), strides if index == 0 else 1, last, dtype)
    x = blocks.conv(x, max(1280, round_channels(1280 * width)), "last", kernel=1, activation="relu6", dtype=dtype)
    return blocks.classify(inputs, x, classes, name)
