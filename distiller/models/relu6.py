"""ReLU6 of bfloat16 in the kernel that clips.

TensorFlow's own ReLU6 has no vector instructions for bfloat16 on a CPU, where it takes more than twice as long as a
clip of the same tensor.
"""

import keras
from keras import layers


def fusible(layer: layers.Layer) -> bool:
    """Whether this layer is ReLU6 of bfloat16 and nothing else."""
    if layer.compute_dtype != "bfloat16":
        return False
    if type(layer) is layers.Activation:
        return layer.activation is keras.activations.relu6
    return type(layer) is layers.ReLU and (layer.max_value, layer.negative_slope, layer.threshold) == (6, 0, 0)


def call(layer: layers.Layer, inputs):
    """min(max(x, 0), 6), its gradient where 0 < x < 6.

    A layer that does not train keeps TensorFlow's ReLU6: the graph optimiser fuses that with a convolution.
    """
    return _clip(inputs) if layer.trainable else type(layer).call(layer, inputs)


def _clip(x):
    import tensorflow as tf

    @tf.custom_gradient
    def clip(x):
        y = tf.raw_ops.ClipByValue(t=x, clip_value_min=tf.zeros([], x.dtype), clip_value_max=tf.constant(6, x.dtype))
        return y, lambda gradient: tf.raw_ops.Relu6Grad(gradients=gradient, features=y)

    return clip(x)
