"""The float32 graph of a Keras model that the converter gets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError, shortened
from tflite.keras_graph.internals import flatten_layers
from tflite.keras_graph.weights import take_weights

if TYPE_CHECKING:
    import keras


def float_graph(model: "keras.Model") -> "keras.Model":
    """A copy of a functional or sequential model that computes in float32 whatever the model was trained in.

    The layers of the copy are made anew from their configuration, so that what was changed on the instances of the
    original has no part in it.

    Raises:
        ModelError: a subclassed model, a Lambda layer, a layer that does not come back from its configuration, or one
            that computes in another type all the same; the message names it.
    """
    import keras

    if not hasattr(model, "inputs"):
        raise ModelError(
            f"Expected a functional or sequential model. Received: {model.name!r} of the subclass "
            f"{type(model).__name__}. Write it with keras.Model(inputs, outputs)"
        )
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.Lambda):
            raise ModelError(
                f"Expected layers with a configuration. Received: the Lambda layer {layer.name!r}. "
                "Write it as a keras.layers.Layer"
            )
    pairs: list[tuple[Any, Any]] = []

    def copy(operation: Any) -> Any:
        twin = type(operation).from_config(_in_float32(operation.get_config()))
        if isinstance(operation, keras.layers.Layer):
            pairs.append((operation, twin))
        return twin

    # Keras compiles what it clones, with losses and metrics that it may not find by their names.
    compiled = [one for one in (model, *flatten_layers(model)) if isinstance(one, keras.Model) and one.compiled]
    try:
        for one in compiled:
            one.compiled = False
        graph = keras.models.clone_model(model, clone_function=copy, recursive=True)
        for layer, twin in pairs:
            take_weights(twin, [np.asarray(weights, "float32") for weights in layer.get_weights()])
    except Exception as error:  # whatever a layer raises when it is made from its configuration
        raise ModelError(
            "Expected layers that come back from their configuration. "
            f"Received: {model.name!r}, where Keras says: {shortened(error)}"
        ) from error
    finally:
        for one in compiled:
            one.compiled = True
    for layer in flatten_layers(graph):
        if isinstance(layer, keras.Model):
            # A model takes the policy that is set globally, and casts what it passes on to its layers.
            layer.dtype_policy = "float32"
        elif layer.compute_dtype != "float32" and not isinstance(layer, keras.layers.InputLayer):
            raise ModelError(
                f"Expected layers that can compute in float32. Received: {layer.name!r} of class "
                f"{type(layer).__name__} in {layer.compute_dtype}"
            )
    return graph


def _in_float32(config: Any) -> Any:
    """A layer's configuration with the policy of the layer, and of layers inside it, replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32"
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(map(_in_float32, config))
    return config
