"""Depthwise convolution of bfloat16 with strides, its input's gradient in float32.

TensorFlow has a fast kernel on CPUs for that gradient in bfloat16 with a stride of 1 only. With strides it takes many
times as long as in float32.
"""

from keras import layers

# The method that gives the kernel of a quantization-aware layer.
_ROUNDED = "fake_quantized_kernel"


def fusible(layer: layers.Layer) -> bool:
    """True where this layer has the slow gradient."""
    aware = isinstance(layer, layers.DepthwiseConv2D) and hasattr(layer, _ROUNDED)
    return (
        (type(layer) is layers.DepthwiseConv2D or aware)
        and layer.compute_dtype == "bfloat16"
        and layer.data_format == "channels_last"
        and max(layer.strides) > 1
        and max(layer.dilation_rate) == 1
    )


def call(layer: layers.DepthwiseConv2D, inputs):
    """Depthwise convolution, bias and activation. inputs: (batch, h, w, c).

    A layer that does not train is computed by Keras, whose operators the graph optimizer fuses.
    """
    import tensorflow as tf

    if not layer.trainable:
        return type(layer).call(layer, inputs)
    kernel = getattr(layer, _ROUNDED)() if hasattr(layer, _ROUNDED) else layer.kernel
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
