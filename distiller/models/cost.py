"""What a network costs: parameters and multiply-adds."""

import math

import keras
from keras import layers

_COUNTED = (layers.Dense, layers.Conv2D, layers.DepthwiseConv2D)


def parameters(model: keras.Model) -> int:
    """Number of weights that the exported model holds, moving statistics of batch normalisation included."""
    return int(model.count_params())


def multiply_adds(model: keras.Model) -> int | None:
    """Multiply-adds of the convolutions and dense layers for one sample; other layers count nothing.

    The convention of the papers: one multiply-add is one multiplication and one addition. None where such a layer is
    inside another layer or a subclassed model, and how often it runs is not known.
    """
    counted = [layer for layer in model._flatten_layers() if layer.built and isinstance(layer, _COUNTED)]
    if not all(layer._inbound_nodes for layer in counted):
        return None
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in counted)
