"""Batch normalization in one kernel.

Keras 3 composes batch normalization of a dozen small operations, which takes almost half the time of a training
step of a small network on a CPU.
"""

from keras import layers


def fusible(layer: layers.Layer) -> bool:
    """True where the kernel computes what this layer does."""
    if type(layer) is not layers.BatchNormalization:
        return False
    spec = layer.input_spec
    return (
        not getattr(layer, "renorm", False)
        and not layer.synchronized
        and spec is not None
        and spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.variable_dtype == "float32"
        and layer.compute_dtype in ("float32", "float16", "bfloat16")
    )


def call(layer: layers.BatchNormalization, inputs, training=None, mask=None):
    """Batch normalization (Ioffe & Szegedy 2015, algorithm 1), statistics in float32. inputs: (batch, h, w, c)."""
    import tensorflow as tf

    if mask is not None:
        return layers.BatchNormalization.call(layer, inputs, training=training, mask=mask)
    training = bool(training) and layer.trainable
    channels = layer.moving_mean.shape
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(channels),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(channels),
        mean=tf.zeros([0]) if training else tf.convert_to_tensor(layer.moving_mean),
        variance=tf.zeros([0]) if training else tf.convert_to_tensor(layer.moving_variance),
        epsilon=layer.epsilon,
        is_training=training,
    )
    if training:
        # The kernel returns the unbiased variance; Keras keeps the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        variance *= (count - 1.0) / count
        keep = layer.momentum
        layer.moving_mean.assign(layer.moving_mean * keep + mean * (1.0 - keep))
        layer.moving_variance.assign(layer.moving_variance * keep + variance * (1.0 - keep))
    return y
