"""A network that answers probabilities, with logits instead."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.endings import (
    is_nested,
    is_sigmoid,
    is_softmax,
    passes_on,
    tensor_may_be_probabilities,
)
from distiller.networks.internals import made_by
from distiller.networks.subclassed import functional, is_subclassed

_SMALLEST = 1e-30


def logits_of(network: keras.Model) -> keras.Model:
    """The same network with logits out: without the softmax or sigmoid that it ends in.

    A softmax or sigmoid that is a layer, an operation or an activation, also in a nested model or in front of a
    reshape, is taken off. Where there is none to be found (a subclassed network, a mean of softmaxes, a layer around a
    SavedModel), the answer is the logarithm of what the network answers: of probabilities those are logits, too.

    `network` stays as it is. The new one shares its layers but the last: where that has an activation, a copy of it
    without one, of the same name and weights, is in its place.

    Args:
        network: functional, Sequential or built by a call.

    Raises:
        InputError: it is not built, or ends in a layer whose answers are logits already.

    >>> import keras
    >>> import numpy as np
    >>> from keras import ops
    >>> from distiller.models import logits_of
    >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax", name="classes")])
    >>> logits, x = logits_of(network), np.ones((1, 2))
    >>> bool(np.allclose(ops.softmax(logits(x)), network(x))), logits.layers[-1].name
    (True, 'classes')
    """
    whole = functional(network, role="network")
    given = list(whole.outputs)
    outputs = [_without(tensor) for tensor in given]
    if all(new is old for new, old in zip(outputs, given, strict=True)):
        outputs = [_logarithm(tensor) if tensor_may_be_probabilities(tensor) else tensor for tensor in given]
    if all(new is old for new, old in zip(outputs, given, strict=True)):
        raise InputError(
            f"Expected a network that ends in a softmax or sigmoid. Received: {network.name!r}, whose last layers give "
            "logits"
        )
    alone = is_subclassed(network) or isinstance(network, keras.Sequential)
    structure = outputs[0] if alone else keras.tree.pack_sequence_as(whole.output, outputs)
    return keras.Model(whole.inputs[0] if alone else whole.input, structure, name=network.name)


def _without(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """The logits of which a symbolic tensor is the softmax or sigmoid, or the tensor itself."""
    operation, node, place = made_by(tensor)
    if is_softmax(operation) or is_sigmoid(operation):
        return _plain(operation, node.input_tensors[0])
    if passes_on(operation):
        before = node.input_tensors[0]
        logits = _without(before)
        return tensor if logits is before else operation(logits)
    if is_nested(operation):
        before = operation.outputs[place]
        logits = _without(before)
        if logits is before:
            return tensor
        entered = operation.inputs[0] if isinstance(operation, keras.Sequential) else operation.input
        inner = keras.Model(entered, logits, name=operation.name)
        return inner(*node.arguments.args, **node.arguments.kwargs)
    return tensor


def _plain(operation: Any, before: keras.KerasTensor) -> keras.KerasTensor:
    """The output of a layer without its softmax or sigmoid."""
    if not isinstance(operation, keras.Layer):
        return before
    if not operation.weights:
        return keras.layers.Activation("linear", dtype=operation.dtype_policy, name=operation.name)(before)
    copy = type(operation).from_config({**operation.get_config(), "activation": "linear"})
    logits = copy(before)
    copy.set_weights(operation.get_weights())
    return logits


def _logarithm(probabilities: keras.KerasTensor) -> keras.KerasTensor:
    return ops.log(ops.maximum(ops.cast(probabilities, "float32"), _SMALLEST))
