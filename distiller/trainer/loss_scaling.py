"""The loss is scaled where a network computes in float16, in which gradients would overflow or vanish."""

from typing import Any

import keras

from distiller.networks.internals import flatten_layers


def scaled(optimizer: Any, *networks: keras.Model) -> Any:
    """The optimizer, inside a `LossScaleOptimizer` where a network has layers that compute in float16.

    Keras looks at the policy of the model that it compiles, which for a training of other networks says nothing. Where
    a gradient overflows, the step is left out and the scale goes down until it fits, also below 1.
    """
    made = keras.optimizers.get(optimizer)
    narrow = any(layer.compute_dtype == "float16" for network in networks for layer in flatten_layers(network))
    if not narrow or isinstance(made, keras.optimizers.LossScaleOptimizer):
        return made
    return keras.optimizers.LossScaleOptimizer(made, name="loss_scale_optimizer")
