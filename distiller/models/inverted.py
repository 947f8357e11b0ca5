"""Inverted residual units: those of MobileNetV2, and of EfficientNet-Lite."""

from keras import layers

from distiller.models import blocks


def round_channels(value: float) -> int:
    """The nearest multiple of 8 that is at least 8 and does not lose more than a tenth.

    >>> round_channels(17.6), round_channels(44)
    (16, 48)
    """
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def unit(
    x,
    expansion: int,
    filters: int,
    strides: int,
    name: str,
    dtype: str,
    *,
    kernel: int = 3,
    norm: blocks.Norm = blocks.SMALL_IMAGES,
):
    """Expand, convolve each channel, project, with ReLU6 between (Sandler et al. 2018, 1801.04381, table 1).

    Where the shapes agree the input is added. The last layer is called `name`, the others begin with it.
    """
    channels = x.shape[-1]
    h = x
    if expansion > 1:
        width = channels * expansion
        h = blocks.conv(h, width, f"{name}_expand", kernel=1, activation="relu6", dtype=dtype, norm=norm)
    h = layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        dtype=dtype,
        name=f"{name}_depthwise_conv",
    )(h)
    h = blocks.normalize(h, f"{name}_depthwise", activation="relu6", dtype=dtype, norm=norm)
    h = blocks.bare_conv(h, filters, f"{name}_project", kernel=1, dtype=dtype)
    if strides == 1 and channels == filters:
        h = blocks.normalize(h, f"{name}_project", activation=None, dtype=dtype, norm=norm)
        return layers.Add(dtype=dtype, name=name)([x, h])
    return layers.BatchNormalization(momentum=norm.momentum, epsilon=norm.epsilon, dtype=dtype, name=name)(h)
