"""A Keras 2 network as one layer of Keras 3.

Keras finds the class of a saved model by its registered name: import this module before `keras.models.load_model` loads
a model that holds such a layer.
"""

from typing import Any

import keras
import numpy as np

from tflite.keras_graph.graph import read
from tflite.keras_graph.internals import flatten_layers
from tflite.tfmot.library import library
from tflite.tfmot.methods import Method, method_of
from tflite.tfmot.packing import packed, unpacked
from tflite.tfmot.rebuild import rebuild
from tflite.tfmot.variables import adopted


@keras.saving.register_keras_serializable("tflite")
class TfKerasNetwork(keras.layers.Layer):
    """A model that was written anew in Keras 2 and changed by tensorflow-model-optimization.

    Its variables are those of the Keras 2 network, so that Keras 3 trains, saves and loads them. What Keras 2 cannot
    save, it makes again: the configuration holds the model as it was and what was done with it.

    Args:
        source: the model, or its JSON, where the weights come later.
        method: what to do with it, or the configuration of that.
        kernels: what `method` has to know of the weights, packed; taken from `source` where that is a model.
    """

    def __init__(
        self, source: "keras.Model | str", method: Method | dict[str, Any], kernels: str | None = None, **kwargs: Any
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.method = method_of(method)
        model = keras.models.model_from_json(source) if isinstance(source, str) else source
        if isinstance(source, str):
            self.source, self.kernels = source, kernels
            _assign(model, kernels)
        else:
            self.source = model.to_json()
            self.kernels = packed(_kernels(model)) if self.method.needs_kernels else None
        made = rebuild(model, pixels=self.method.pixels)
        # Hidden from Keras 3 and from TensorFlow, which would track its parts and save them in their own way.
        self._inside = _Inside(_without_autograph(self.method.apply)(made), made.sources)
        frozen = self.method.frozen(self.network)
        self.adopted = adopted(self.network, made, model, frozen=frozen)
        self.supports_jit = False  # Keras 2 branches on the mode with operations that XLA does not take
        self.built = True

    @property
    def quantization_aware(self) -> bool:
        """True if it rounds as its integer file will."""
        return self.method.quantizes

    @property
    def network(self) -> Any:
        """The `tf_keras.Model`."""
        return self._inside.network

    @property
    def sources(self) -> dict[str, int]:
        """Name of a variable of the network → its place among the weights of the model it was written from."""
        return self._inside.sources

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Compute the network's outputs, float32."""
        return _without_autograph(self.network)(inputs, training=bool(training) and self.trainable)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the network's output."""
        return (input_shape[0], *self.network.output_shape[1:])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"source": self.source, "method": self.method.to_dict(), "kernels": self.kernels}
        return {**super().get_config(), **own}


class _Inside:
    """Holds what Keras is not to see."""

    def __init__(self, network: Any, sources: dict[str, int]):
        self.network, self.sources = network, sources


def _without_autograph(function: Any) -> Any:
    """The function, of which AutoGraph rewrites nothing: Keras 2 needs none of that, and it would take most time."""
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def wrapped(model: "keras.Model", method: Method) -> "keras.Model":
    """A model of one layer, a `TfKerasNetwork`, with the input and the name of `model`.

    Raises:
        ModelError: a model or a layer that cannot be written in Keras 2, or that `method` does not take.
    """
    library()
    read(model)  # refuses a subclassed one
    symbol = model.inputs[0]
    inputs = keras.Input(batch_shape=symbol.shape, dtype=symbol.dtype, name=symbol.name)
    layer = TfKerasNetwork(model, method, name=f"{model.name}_in_keras_2")
    return keras.Model(inputs, layer(inputs), name=model.name)


def networks(model: "keras.Model") -> list[TfKerasNetwork]:
    """The layers of that kind in a model, those of models inside of it too."""
    return [layer for layer in flatten_layers(model) if isinstance(layer, TfKerasNetwork)]


def _kernels(model: "keras.Model") -> dict[int, np.ndarray]:
    """Place of a kernel among the weights → its numbers."""
    return {
        place: np.asarray(weight, "float32")
        for place, weight in enumerate(model.weights)
        if weight.name == "kernel" and weight.trainable
    }


def _assign(model: "keras.Model", kernels: str | None) -> None:
    for place, array in unpacked(kernels).items() if kernels else ():
        model.weights[place].assign(array)
