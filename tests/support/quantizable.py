"""Small networks with the parts of the well-known ones, for images of 8×8 pixels in [0, 255] and ten classes."""

import keras
from keras import layers, ops


def pixels():
    inputs = keras.Input((8, 8, 1), name="pixels")
    return inputs, layers.Rescaling(1 / 64, -2, name="scale")(inputs)


def unit(x, filters, name, *, kernel=3, strides=1, activation="relu6"):
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.8, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=name)(x) if activation else x


def depthwise(x, name, *, activation="relu6"):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.8, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=name)(x)


def finished(inputs, x, name):
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)


def mobile_v2():
    """Inverted residuals: depthwise convolutions, relu6, linear bottlenecks."""
    inputs, x = pixels()
    x = unit(x, 8, "stem", strides=2)
    for place in range(2):
        h = unit(x, 24, f"block{place}_expand", kernel=1)
        h = depthwise(h, f"block{place}_depthwise")
        h = unit(h, 8, f"block{place}_project", kernel=1, activation=None)
        x = layers.Add(name=f"block{place}")([x, h])
    return finished(inputs, unit(x, 32, "last", kernel=1), "mobile_v2")


def mobile_v3():
    """Hard-swish, and squeeze-and-excitation with a hard sigmoid made of operations."""
    inputs, x = pixels()
    x = unit(x, 8, "stem", strides=2, activation="hard_swish")
    h = depthwise(unit(x, 16, "expand", kernel=1, activation="hard_swish"), "depthwise", activation="hard_swish")
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(h)
    gate = layers.Conv2D(8, 1, activation="relu", name="reduce")(gate)
    gate = layers.Conv2D(16, 1, name="widen")(gate)
    gate = ops.relu6(gate + 3.0) * (1.0 / 6.0)
    h = unit(layers.Multiply(name="excite")([h, gate]), 8, "project", kernel=1, activation=None)
    x = layers.Add(name="block")([x, h])
    return finished(inputs, unit(x, 32, "last", kernel=1, activation="silu"), "mobile_v3")


def dense_net():
    """Normalisation before convolutions, and concatenation."""
    inputs, x = pixels()
    x = layers.Conv2D(12, 3, padding="same", use_bias=False, name="stem")(x)
    for place in range(3):
        h = layers.BatchNormalization(momentum=0.8, name=f"pre{place}_norm")(x)
        h = layers.ReLU(name=f"pre{place}")(h)
        h = layers.Conv2D(6, 3, padding="same", use_bias=False, name=f"grow{place}")(h)
        x = layers.Concatenate(name=f"both{place}")([x, h])
        if place == 1:
            x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.ReLU(name="last")(layers.BatchNormalization(momentum=0.8, name="last_norm")(x))
    return finished(inputs, x, "dense_net")


NETWORKS = {network.__name__: network for network in (mobile_v2, mobile_v3, dense_net)}
