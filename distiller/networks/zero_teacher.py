"""A teacher for objectives that need none."""

from typing import Any

import keras
from keras import ops

from distiller.networks.feature_extraction import check_logits
from distiller.networks.subclassed import functional


def zero_teacher(student: keras.Model) -> keras.Model:
    """A network for the student's inputs that answers 0 for each of its classes, at no cost: a teacher for nothing.

    Args:
        student: network with logits (batch, classes).

    Raises:
        InputError: the student is not built, or returns no logits.

    >>> import keras
    >>> from distiller.networks.zero_teacher import zero_teacher
    >>> student = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> zero_teacher(student).output_shape, zero_teacher(student).count_params()
    ((None, 3), 0)
    """
    network = functional(student, role="student")
    check_logits(network, role="student")
    inputs = keras.tree.map_structure(lambda tensor: keras.Input(tensor.shape[1:], dtype=tensor.dtype), network.inputs)
    inputs = inputs[0] if len(inputs) == 1 else inputs
    return keras.Model(inputs, Nothing(network.output_shape[-1], name="nothing")(inputs), name="silent")


@keras.saving.register_keras_serializable("distiller")
class Nothing(keras.layers.Layer):
    """Zeros (batch, classes), in float32, whatever the inputs."""

    def __init__(self, classes: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.classes = classes

    def call(self, inputs: Any) -> Any:
        """The zeros."""
        return ops.zeros((ops.shape(keras.tree.flatten(inputs)[0])[0], self.classes))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "classes": self.classes}
