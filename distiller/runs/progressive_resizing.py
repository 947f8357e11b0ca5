"""Training that begins with smaller images: progressive resizing."""

from collections.abc import Sequence

import keras

from distiller.errors import InputError
from distiller.recipes.training import Size


class GrowingImages(keras.callbacks.Callback):
    """Lets a network that resizes its images do it to smaller ones in the first epochs, then to its own size.

    A step on images of half the size takes a quarter of the time, and a convolutional network goes on at another size
    with what it has learned (Touvron et al. 2019, 1906.06423, train at one size and finish at another).

    Args:
        network: with one `keras.layers.Resizing`.
        sizes: in their order; the epochs after them are at the network's own size.

    Raises:
        InputError: the network resizes nothing.
    """

    def __init__(self, network: keras.Model, sizes: Sequence[Size]):
        super().__init__()
        layers = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.Resizing)]
        if len(layers) != 1:
            raise InputError(
                f"training.sizes: expected a network that resizes its images, as with the option `resize` of "
                f"efficientnet_lite0. Received: {network.name}, with {len(layers)} layers of that kind"
            )
        self.layer = layers[0]
        self.own = self.layer.height, self.layer.width
        self.plan = [each.size for each in sizes for _ in range(each.epochs)]

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        """Called by Keras."""
        self._resize((self.plan[epoch],) * 2 if epoch < len(self.plan) else self.own)

    def on_train_end(self, logs=None) -> None:
        """Called by Keras: whatever happened, the network is left as it was."""
        self._resize(self.own)

    def _resize(self, size: tuple[int, int]) -> None:
        if size == (self.layer.height, self.layer.width):
            return
        self.layer.height, self.layer.width = size
        # The compiled steps hold the size that they were traced with.
        self.model.train_function = self.model.test_function = self.model.predict_function = None
        self.model.make_train_function()
