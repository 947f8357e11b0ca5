"""The layers of a model in TensorFlow's fast kernels on a CPU, where Keras takes slow ones.

The layers stay Keras's: same class, same weights, same configuration, same saved file.
"""

import types

import keras

from distiller.models import depthwise, normalization
from distiller.networks.internals import flatten_layers

_KERNELS = (normalization, depthwise)


def fuse(model: keras.Model) -> keras.Model:
    """Let the layers of `model`, those of nested models too, use fast kernels; changes and returns `model`.

    Batch normalization is computed in one kernel. Where the network is in bfloat16, the input's gradient of depthwise
    convolutions with strides, which MobileNets would wait for, is computed in float32. Outputs, gradients and moving
    statistics are those of Keras within rounding. A loaded or cloned model has to be fused again.

    Normalization that the kernel cannot take (another axis than the last, inputs that are not four-dimensional, renorm,
    masks, `synchronized`, variables in another dtype than float32, float64), subclasses of these layers, and every
    layer on another backend than TensorFlow, stay as they are.
    """
    if keras.backend.backend() == "tensorflow":
        for layer in flatten_layers(model):
            for kernel in _KERNELS:
                if kernel.fusible(layer):
                    layer.call = types.MethodType(kernel.call, layer)
    return model
