"""A network for images of another size or other colours than its own."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.internals import run_through_graph
from distiller.networks.subclassed import is_subclassed

# Shares of red, green and blue in grey: ITU-R recommendation BT.601, as Pillow's mode L has them.
GREY = (0.299, 0.587, 0.114)


def adapted(network: keras.Model, input_shape: tuple[int | None, int | None, int]) -> keras.Model:
    """The same network behind a layer that makes its images of others: resized, and grey of colour or three of grey.

    So a teacher of 224 pixels and a student of 96, or a grey student of a colour teacher, see one and the same view:
    views are drawn at the larger size, and each network gets its own of them. Layers and weights are shared, under the
    names that they have; training the adapted network trains the given one.

    Args:
        network: functional, Sequential or built, with one input of images (batch, h, w, c).
        input_shape: height, width and channels of the images that come.

    Returns:
        The adapted network, or `network` itself where its images are of this shape already or of any.

    Raises:
        InputError: it takes no images, or channels that cannot be made of those that come.

    >>> import keras
    >>> from distiller import models
    >>> student = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> models.adapted(student, (8, 8, 3)).input_shape
    (None, 8, 8, 3)
    """
    own = network.input_shape
    if not isinstance(own, tuple) or len(own) != 4:
        raise InputError(f"Expected a network of images (batch, height, width, channels). Received: inputs {own}")
    if all(wanted in (None, given) for wanted, given in zip(own[1:], input_shape, strict=True)):
        return network
    height, width, channels = own[1:]
    if channels != input_shape[-1] and {channels, input_shape[-1]} != {1, 3}:
        raise InputError(f"Expected images of {channels} channels, or 1 for 3 and 3 for 1. Received: {input_shape}")
    pixels = keras.Input(input_shape, name="pixels")
    images = AdaptImages(height, width, channels, name="adapt_images")(pixels)
    if is_subclassed(network):
        return keras.Model(pixels, network(images), name=network.name)
    return keras.Model(pixels, run_through_graph(network, images, lambda operation: operation), name=network.name)


@keras.saving.register_keras_serializable("distiller")
class AdaptImages(keras.layers.Layer):
    """Images of another size and number of channels: bilinear, antialiased, grey by BT.601.

    Keras's `Resizing` was tried: called without `training`, it lets the layers after it compute as in training.

    Args:
        height: of the images that leave; None keeps theirs.
        width: of the images that leave; None keeps theirs.
        channels: 1 or 3; None keeps theirs.
    """

    def __init__(self, height: int | None, width: int | None, channels: int | None, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.height, self.width, self.channels = height, width, channels

    def call(self, images: Any) -> Any:
        """The adapted images, float32."""
        images = ops.cast(images, "float32")
        if self.channels == 1 and images.shape[-1] == 3:
            images = ops.sum(images * ops.convert_to_tensor(GREY, "float32"), axis=-1, keepdims=True)
        elif self.channels == 3 and images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        size = (self.height or images.shape[1], self.width or images.shape[2])
        if tuple(images.shape[1:3]) == size:
            return images
        return ops.image.resize(images, size, "bilinear", antialias=True, data_format="channels_last")

    def compute_output_shape(self, shape: Any) -> Any:
        """Called by Keras."""
        batch, height, width, channels = shape
        return (batch, self.height or height, self.width or width, self.channels or channels)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "height": self.height, "width": self.width, "channels": self.channels}
