"""Operations without an integer kernel, written with others that have one."""

import functools
from typing import Any

import numpy as np

from tflite.keras_graph.graph import Call, NewLayer
from tflite.quantization.decompose_parts import Expansion, Rule, new_operation, shape_of


def operation_rule(call: Call) -> Rule | None:
    """Rule for an operation; None for one that stays as it is."""
    import keras

    if isinstance(call.kind, keras.layers.Layer):
        return None
    return _RULES.get(type(call.kind).__name__)


def _square(expansion: Expansion, call: Call) -> None:
    """x · x: the runtime has the product for integers, and the square for floating-point numbers alone."""
    import keras

    def product(name: str) -> NewLayer:
        return NewLayer(keras.layers.Multiply(dtype=call.output.symbol.dtype, name=name))

    (value,) = call.inputs
    expansion.add(call, product, "product", [value, value], output=call.output)


def _negative(expansion: Expansion, call: Call) -> None:
    expansion.times(call, call.inputs[0], -1.0, "product")


def _stack(expansion: Expansion, call: Call) -> None:
    """A concatenation along an axis that each tensor gets."""
    import keras

    axis = call.kind.axis
    values: list[Any] = []
    for place, value in enumerate(call.inputs):
        shape = list(shape_of(call.output))
        shape[axis] = 1
        make = new_operation(lambda x: keras.ops.expand_dims(x, axis), shape_of(value))
        values.append(expansion.add(call, make, f"part_{place}", value, shape=tuple(shape)))

    def concatenation(name: str) -> NewLayer:
        return NewLayer(keras.layers.Concatenate(axis=axis, dtype=call.output.symbol.dtype, name=name))

    expansion.add(call, concatenation, "whole", values, output=call.output)


def _flip(expansion: Expansion, call: Call) -> None:
    """The same numbers taken in the other order, along one axis after the other."""
    import keras

    (value,) = call.inputs
    shape = shape_of(value)
    given = call.kind.axis
    axes = range(1, len(shape)) if given is None else [given] if isinstance(given, int) else list(given)
    for place, axis in enumerate(axes, start=1):
        size = int(shape[axis] or 0)
        make = new_operation(functools.partial(keras.ops.take, indices=np.arange(1), axis=axis), shape)
        last = place == len(axes)
        turned = np.arange(size)[::-1].astype("int32")
        value = expansion.add(
            call, make, f"turned_{place}", value, turned, output=call.output if last else None, shape=shape
        )


def _reciprocal(expansion: Expansion, call: Call) -> None:
    expansion.add(call, new_operation(lambda x: 1.0 / x), "quotient", 1.0, *call.inputs, output=call.output)


def _log1p(expansion: Expansion, call: Call) -> None:
    import keras

    more = expansion.add(call, new_operation(lambda x: x + 1.0), "more", *call.inputs, 1.0)
    if expansion.bits == 16:
        expansion.expand_last()
    expansion.add(call, new_operation(keras.ops.log), "log", more, output=call.output)


def _expm1(expansion: Expansion, call: Call) -> None:
    import keras

    power = expansion.add(call, new_operation(keras.ops.exp), "exp", *call.inputs)
    expansion.add(call, new_operation(lambda x: x - 1.0), "less", power, 1.0, output=call.output)
    expansion.expand_last()


_RULES: dict[str, Rule] = {
    "Square": _square,
    "Negative": _negative,
    "Stack": _stack,
    "Flip": _flip,
    "Reciprocal": _reciprocal,
    "Log1p": _log1p,
    "Expm1": _expm1,
}
