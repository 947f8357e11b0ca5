"""Depthwise separable convolutions for spectrograms and windows of sensors."""

import keras
from keras import layers

from distiller.errors import InputError
from distiller.models import blocks


def ds_cnn(
    classes: int,
    input_shape: tuple[int, int, int] = (49, 40, 1),
    *,
    width: int = 64,
    units: int = 4,
    dtype: str = "float32",
    name: str = "ds_cnn",
) -> keras.Model:
    """DS-CNN (Zhang et al. 2017, 1711.07128): a convolution over time and bands, then `units` separable ones.

    The first kernel is 10 steps of time by 4 bands, with stride 2, where there are so many: a window of few channels
    keeps them all. `width` channels throughout. Feature layers: `stage1` … `stageN`, `features`, `logits`.
    """
    if width < 1 or units < 1:
        raise InputError(f"Expected `width` and `units` of 1 or more. Received: width={width}, units={units}")
    inputs, x = blocks.pixels(input_shape, dtype)
    kernel = (min(10, input_shape[0]), min(4, input_shape[1]))
    strides = (2, 2 if input_shape[1] >= 16 else 1)
    common = {"padding": "same", "use_bias": False, "dtype": dtype}
    x = layers.Conv2D(width, kernel, strides=strides, kernel_initializer="he_normal", name="stem_conv", **common)(x)
    x = blocks.normalize(x, "stem", activation="relu", dtype=dtype)
    for unit in range(1, units + 1):
        x = layers.DepthwiseConv2D(3, depthwise_initializer="he_normal", name=f"stage{unit}_depthwise", **common)(x)
        x = blocks.normalize(x, f"stage{unit}_depthwise", activation="relu", dtype=dtype)
        x = blocks.bare_conv(x, width, f"stage{unit}", kernel=1, dtype=dtype)
        x = layers.BatchNormalization(
            momentum=blocks.SMALL_IMAGES.momentum,
            epsilon=blocks.SMALL_IMAGES.epsilon,
            dtype=dtype,
            name=f"stage{unit}_norm",
        )(x)
        x = layers.Activation("relu", dtype=dtype, name=f"stage{unit}")(x)
    return blocks.classify(inputs, x, classes, name)
