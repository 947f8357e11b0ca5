"""Depthwise convolution of bfloat16 with strides, its input's gradient in float32.

TensorFlow has a fast kernel on CPUs for that gradient in bfloat16 with a stride of 1 only. With strides it takes many
times as long as in float32: the three of a MobileNetV2 are a third of its training step.
"""

from keras import layers

from tflite.quantization.layers import AwareDepthwiseConv2D


def fusible(layer: layers.Layer) -> bool:
    """Whether this layer has the slow gradient."""
    return (
        type(layer) in (layers.DepthwiseConv2D, AwareDepthwiseConv2D)
        and layer.compute_dtype == "bfloat16"
        and layer.data_format == "channels_last"
        and max(layer.strides) > 1
    )


def call(layer: layers.DepthwiseConv2D, inputs):
    """Depthwise convolution, bias and activation. inputs: (batch, h, w, c)."""
    import tensorflow as tf

    kernel = layer.fake_quantized_kernel() if isinstance(layer, AwareDepthwiseConv2D) else layer.kernel
    kernel = tf.convert_to_tensor(kernel, inputs.dtype)
    outputs = _convolve(inputs, kernel, layer.strides, layer.padding.upper())
    if layer.use_bias:
        outputs += tf.convert_to_tensor(layer.bias, inputs.dtype)
    return outputs if layer.activation is None else layer.activation(outputs)


def _convolve(x, kernel, strides: tuple[int, int], padding: str):
    import tensorflow as tf

    options = {"strides": [1, *strides, 1], "padding": padding}

    @tf.custom_gradient
    def convolve(x, kernel):
        def gradients(gradient):
            of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=tf.cast(kernel, tf.float32),
                out_backprop=tf.cast(gradient, tf.float32),
                **options,
            )
            of_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=x, filter_sizes=tf.shape(kernel), out_backprop=gradient, **options
            )
            return tf.cast(of_inputs, x.dtype), of_kernel

        return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, **options), gradients

    return convolve(x, kernel)
