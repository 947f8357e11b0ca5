"""A small encoder and decoder: a class for each pixel."""

from typing import Any

import keras
from keras import layers

from distiller.errors import InputError
from distiller.models import blocks
from distiller.models.fusing import fuse


def unet(
    classes: int,
    input_shape: tuple[int, int, int],
    *,
    width: int = 8,
    levels: int = 2,
    dtype: str = "float32",
    name: str = "unet",
) -> keras.Model:
    """A small U-Net (Ronneberger et al. 2015, 1505.04597) with raw pixels in and logits (batch, h, w, classes) out.

    Convolutions have batch normalization and ReLU, and maps are enlarged by repetition, so that it becomes an integer
    file whole. Feature layers: `down1` … (each half the size of the one before), `bottom`, … `up1`, `logits`.

    Args:
        classes: of each pixel, background among them.
        input_shape: height and width that can be halved `levels` times, and channels.
        width: filters at full size; twice as many at each half.
        levels: how many times the size is halved.
        dtype: policy of the layers.
        name: of the model.

    Raises:
        InputError: a height or width that cannot be halved so often, or an impossible number.
    """
    height, width_of_image, _ = input_shape
    if width < 1 or levels < 1:
        raise InputError(f"Invalid options for model 'unet': expected 1 or more. Received: width={width}, {levels=}")
    if height % 2**levels or width_of_image % 2**levels:
        raise InputError(
            f"The model 'unet' halves images {levels} times: expected height and width in multiples of {2**levels}. "
            f"Received: {height}×{width_of_image}. Choose data.image_size or the option levels"
        )
    inputs, x = blocks.pixels(input_shape, dtype)
    skips: list[Any] = []
    for level in range(levels):
        x = blocks.conv(x, width * 2**level, f"down{level + 1}", activation="relu", dtype=dtype)
        skips.append(x)
        x = layers.MaxPooling2D(dtype=dtype, name=f"down{level + 1}_pool")(x)
    x = blocks.conv(x, width * 2**levels, "bottom", activation="relu", dtype=dtype)
    for level in reversed(range(levels)):
        x = layers.UpSampling2D(dtype=dtype, name=f"up{level + 1}_larger")(x)
        x = layers.Concatenate(dtype=dtype, name=f"up{level + 1}_beside")([x, skips[level]])
        x = blocks.conv(x, width * 2**level, f"up{level + 1}", activation="relu", dtype=dtype)
    return fuse(keras.Model(inputs, layers.Conv2D(classes, 1, dtype="float32", name="logits")(x), name=name))
