"""Weights of a network in a copy of it."""

import keras

from distiller.networks.internals import flatten_layers


def take_weights(copy: keras.Layer, original: keras.Layer) -> None:
    """Give a copy, a layer or a network, the weights of the original.

    A `Normalization` that was adapted keeps its statistics as weights and computes with constants made of them, which
    Keras makes anew only when it loads a file.
    """
    copy.set_weights(original.get_weights())
    for layer in flatten_layers(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
