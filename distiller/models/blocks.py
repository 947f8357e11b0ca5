"""The pieces that the networks of the zoo share: pixels in, convolution units, logits out."""

from dataclasses import dataclass

import keras
from keras import layers

from distiller.errors import InputError

SHIFT, SCALE = 127.5, 64.0


@dataclass(frozen=True)
class Norm:
    """The common arguments of a network's batch normalizations: `momentum` of the moving statistics, and `epsilon`."""

    momentum: float
    epsilon: float


SMALL_IMAGES = Norm(momentum=0.9, epsilon=1e-5)


def pixels(input_shape: tuple[int, int, int], dtype: str) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """An input of raw pixels in [0, 255] and the same scaled to about unit deviation.

    The scaling is part of the network, so that whoever holds the model, on a phone too, feeds it plain pixels. It is
    one number for all channels and data sets: an integer model absorbs it in its input scale.
    """
    inputs = layers.Input(input_shape, name="pixels")
    # Pixels have 8 bits, and so has bfloat16's mantissa: the shift must not round in it.
    policy = "float32" if dtype.startswith("mixed") else dtype
    return inputs, layers.Rescaling(1.0 / SCALE, offset=-SHIFT / SCALE, dtype=policy, name="scale")(inputs)


def reduction_of(input_shape: tuple[int, int, int], asked: int | None) -> int:
    """Factor by which the first layers reduce an image: `asked`, or 1 up to 96 pixels, 2 below 192, else 4.

    Networks for images of 32×32 keep their resolution to the second stage. On photos of 224×224 a step would take fifty
    times as long, and memory; 4 is what networks for ImageNet have.

    Raises:
        InputError: `asked` is none of 1, 2 and 4.
    """
    if asked not in (None, 1, 2, 4):
        raise InputError(f"Invalid value for `reduction`. Expected 1, 2 or 4. Received: reduction={asked}")
    size = max(input_shape[:2])
    return asked or (1 if size <= 96 else 2 if size < 192 else 4)


def pooled(x, reduction: int, dtype: str):
    """Maps after a stem of stride 2, pooled to a quarter of the image's size where `reduction` is 4, as in ResNets."""
    return layers.MaxPooling2D(3, 2, padding="same", dtype=dtype, name="stem_pool")(x) if reduction == 4 else x


def bare_conv(x, filters: int, name: str, *, kernel: int = 3, strides: int = 1, dtype: str):
    """Convolution without bias, for a normalization to follow."""
    return layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=dtype,
        name=f"{name}_conv",
    )(x)


def conv(
    x,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    strides: int = 1,
    activation: str | None,
    dtype: str,
    norm: Norm = SMALL_IMAGES,
):
    """Convolution without bias, batch normalization and, where named, an activation."""
    x = bare_conv(x, filters, name, kernel=kernel, strides=strides, dtype=dtype)
    return normalize(x, name, activation=activation, dtype=dtype, norm=norm)


def normalize(x, name: str, *, activation: str | None, dtype: str, norm: Norm = SMALL_IMAGES):
    """Batch normalization and, where named, an activation."""
    x = layers.BatchNormalization(momentum=norm.momentum, epsilon=norm.epsilon, dtype=dtype, name=f"{name}_norm")(x)
    return x if activation is None else layers.Activation(activation, dtype=dtype, name=f"{name}_{activation}")(x)


def classify(inputs, x, classes: int, name: str) -> keras.Model:
    """Global average pooling (`features`) and a linear layer (`logits`), both in float32."""
    x = layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    x = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, x, name=name)
