"""MobileNetV2 for small images."""

import keras
from keras import layers

from distiller.errors import InputError
from distiller.models import blocks

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
    x = blocks.conv(x, _channels(32 * width), "stem", strides=min(reduction, 2), activation="relu6", dtype=dtype)
    for stage, (expansion, filters, units, strides) in enumerate(_STAGES, start=1):
        strides = 2 if stage == 2 and reduction == 4 else strides
        for unit in range(units):
            last = f"stage{stage}" if unit == units - 1 else f"stage{stage}_{unit + 1}"
            x = _unit(x, expansion, _channels(filters * width), strides if unit == 0 else 1, last, dtype)
    x = blocks.conv(x, max(1280, _channels(1280 * width)), "last", kernel=1, activation="relu6", dtype=dtype)
    return blocks.classify(inputs, x, classes, name)


def _channels(value: float) -> int:
    """The nearest multiple of 8 that is at least 8 and does not lose more than a tenth."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def _unit(x, expansion: int, filters: int, strides: int, name: str, dtype: str):
    channels = x.shape[-1]
    h = x
    if expansion > 1:
        h = blocks.conv(h, channels * expansion, f"{name}_expand", kernel=1, activation="relu6", dtype=dtype)
    h = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        dtype=dtype,
        name=f"{name}_depthwise_conv",
    )(h)
    h = blocks.normalize(h, f"{name}_depthwise", activation="relu6", dtype=dtype)
    h = blocks.bare_conv(h, filters, f"{name}_project", kernel=1, dtype=dtype)
    if strides == 1 and channels == filters:
        h = blocks.normalize(h, f"{name}_project", activation=None, dtype=dtype)
        return layers.Add(dtype=dtype, name=name)([x, h])
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name=name)(h)
