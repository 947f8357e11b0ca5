"""Last operation of a network: a softmax, a sigmoid, a product with a kernel, or something that does not tell."""

from typing import Any

import keras

from distiller.networks.internals import made_by
from distiller.networks.subclassed import is_subclassed

# Pass on every number that they are given, in inference.
_PASSING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Identity, keras.layers.Dropout)
_PASSING_OPS = ("Cast", "ExpandDims", "Reshape", "Squeeze")
_LINEAR = (None, keras.activations.linear)


def passes_on(operation: Any) -> bool:
    """True where a layer or operation gives what it takes, in another shape or dtype at most."""
    if isinstance(operation, keras.layers.Activation):
        return operation.activation in _LINEAR
    return isinstance(operation, _PASSING) or _named(operation, _PASSING_OPS)


def is_softmax(operation: Any) -> bool:
    """True where a layer or operation gives the probabilities of a softmax."""
    own = isinstance(operation, keras.layers.Softmax) or _named(operation, ("Softmax",))
    return own or getattr(operation, "activation", None) is keras.activations.softmax


def is_sigmoid(operation: Any) -> bool:
    """True where a layer or operation gives the probabilities of a sigmoid."""
    return _named(operation, ("Sigmoid",)) or getattr(operation, "activation", None) is keras.activations.sigmoid


def last_operations(model: keras.Model) -> list[Any]:
    """The layers or operations that make the outputs of a functional or Sequential model, each once.

    Of a nested model, its own; behind what only passes numbers on, the one before.
    """
    return list({id(one): one for one in map(maker, model.outputs)}.values())


def maker(tensor: keras.KerasTensor) -> Any:
    """The layer or operation that makes the numbers of a symbolic tensor, as `last_operations` finds it."""
    while True:
        operation, node, place = made_by(tensor)
        if passes_on(operation):
            tensor = node.input_tensors[0]
        elif is_nested(operation):
            tensor = operation.outputs[place]
        else:
            return operation


def is_nested(operation: Any) -> bool:
    """True where an operation is a model whose layers form a graph."""
    return isinstance(operation, keras.Model) and not is_subclassed(operation)


def may_be_probabilities(model: keras.Model) -> bool:
    """True where an output may be one of a softmax or sigmoid: see `tensor_may_be_probabilities`."""
    return is_subclassed(model) or any(map(tensor_may_be_probabilities, model.outputs))


def tensor_may_be_probabilities(tensor: keras.KerasTensor) -> bool:
    """True where the numbers of a symbolic tensor may be probabilities: they are no plain product with a kernel."""
    last = maker(tensor)
    known = type(last).__module__.startswith(("keras.", "distiller.", "tflite."))
    return not (known and hasattr(last, "kernel") and getattr(last, "activation", None) in _LINEAR)


def _named(operation: Any, names: tuple[str, ...]) -> bool:
    """True where it is one of the operations of `keras.ops`, whose classes are not public."""
    return not isinstance(operation, keras.Layer) and type(operation).__name__ in names
