"""Momentum of the moving statistics of batch normalizations, for trainings of hundreds of steps."""

import keras

from distiller.networks.internals import flatten_layers

_OF_NEW, _OF_TRAINED = 0.9, 0.99


def limit_momentum(network: keras.Model, *, trained: bool) -> None:
    """Let the moving statistics of `network` forget their initial values in a short training.

    Keras's networks have a momentum of up to 0.9997, for weeks of ImageNet. After the 600 steps of a small training at
    0.999 more than half of a moving variance would still be the initial 1, which is far from that of a new network's
    activations, and every answer in inference nearly the same.

    Args:
        network: whose momentum becomes 0.9 at most, or 0.99 where its statistics are those of a training already.
        trained: true for the latter.
    """
    for layer in flatten_layers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _OF_TRAINED if trained else _OF_NEW)
