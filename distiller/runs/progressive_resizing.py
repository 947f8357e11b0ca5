"""Training that begins with smaller images: progressive resizing."""

from collections.abc import Sequence
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.internals import flatten_layers
from distiller.recipes.training import Size


class GrowingImages(keras.callbacks.Callback):
    """Lets a network that enlarges its images make less of them in the first epochs, then go on at its own size.

    A step on images of half the size takes a quarter of the time, and a convolutional network goes on at another size
    with what it has learned (Touvron et al. 2019, 1906.06423, train at one size and finish at another).

    Args:
        network: with one `keras.layers.UpSampling2D`, of images.
        sizes: in their order, multiples of the images' own; the epochs after them are at the network's own size.

    Raises:
        InputError: the network enlarges nothing, or a size is no multiple of the images'.
    """

    def __init__(self, network: keras.Model, sizes: Sequence[Size]):
        super().__init__()
        layers = [layer for layer in flatten_layers(network) if isinstance(layer, keras.layers.UpSampling2D)]
        if len(layers) != 1:
            raise InputError(
                f"training.sizes: expected a network that enlarges its images, as with the option `resize` of "
                f"efficientnet_lite0. Received: {network.name}, with {len(layers)} layers of that kind"
            )
        self.layer = layers[0]
        self.own = tuple(self.layer.size)
        height, width = self.layer.input.shape[1:3]
        for size in (each.size for each in sizes):
            if size % height or size % width:
                raise InputError(
                    f"training.sizes: expected multiples of the images' height and width, {height} and {width}. "
                    f"Received: {size}"
                )
        self.plan = [(each.size // height, each.size // width) for each in sizes for _ in range(each.epochs)]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self._enlarge(self.plan[epoch] if epoch < len(self.plan) else self.own)

    def on_train_end(self, logs: Any = None) -> None:
        """Called by Keras: whatever happened, the network is left as it was."""
        self._enlarge(self.own)

    def _enlarge(self, factors: tuple[int, ...]) -> None:
        if factors == tuple(self.layer.size):
            return
        self.layer.size = factors
        # The compiled steps hold the size that they were traced with.
        self.model.train_function = self.model.test_function = self.model.predict_function = None
        self.model.make_train_function()
