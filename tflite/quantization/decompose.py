"""Rewrites layers that are several operators at run time into those, so that each can be quantized."""

import functools
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

from tflite.keras_graph.graph import Call, Graph, NewLayer, Value
from tflite.quantization.decompose_operations import operation_rule
from tflite.quantization.decompose_parts import new_operation
from tflite.quantization.decompose_products import product_rule
from tflite.quantization.decompose_steps import step_rule
from tflite.quantization.support import activation

# Classes of Keras's that compute their activation last, and so do those derived from them that compute as they do.
_WITH_ACTIVATION = (
    *("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
    *("DepthwiseConv1D", "DepthwiseConv2D", "Dense", "EinsumDense"),
)


def decompose(graph: Graph, *, bits: int | None = 8) -> None:
    """Rewrite the graph in place: what a call computes stays the same, and so does the name that its result has.

    Args:
        graph: changed in place.
        bits: of the activations. The runtime's hard-swish, and its sums and products with a number, have 8.
    """
    _Expansion(graph, bits).run()


class _Expansion:
    """Rewrites one graph; what a shared layer becomes is shared."""

    def __init__(self, graph: Graph, bits: int | None):
        self.graph, self.bits = graph, bits
        self.parts: dict[tuple[int, str], tuple[Any, str]] = {}

    def run(self) -> None:
        """Rewrite every call."""
        _recognise_hard_swish(self.graph)
        calls, self.graph.calls = self.graph.calls, []
        for call in calls:
            rule = self._rule(call)
            if rule is None:
                self.graph.calls.append(call)
            else:
                rule(call)

    def _rule(self, call: Call) -> Callable[[Call], None] | None:
        import keras

        kind = call.kind
        if isinstance(kind, keras.layers.SeparableConv1D | keras.layers.SeparableConv2D):
            return self._separable
        if _ends_in_activation(kind) and getattr(kind.activation, "__name__", "") != "linear":
            return self._fused_activation
        if activation(kind) == "hard_sigmoid":
            return self._hard_sigmoid
        if activation(kind) == "silu":
            return lambda call: self._gated(call, "sigmoid")
        if activation(kind) == "hard_silu" and self.bits == 16:
            return lambda call: self._gated(call, "hard_sigmoid")
        if type(kind).__name__ in ("Divide", "TrueDivide") and _constant(call) is not None:
            return lambda call: self.times(call, call.inputs[0], 1.0 / (_constant(call) or 1.0), "product")
        if type(kind).__name__ == "Multiply" and _constant(call) is not None and self.bits == 16:
            return lambda call: self.times(call, call.inputs[0], _constant(call) or 0.0, "product")
        if type(kind).__name__ in ("Add", "Subtract") and _constant(call) is not None and self.bits == 16:
            return self._shifted
        if isinstance(kind, keras.layers.Average):
            return self._average
        if isinstance(kind, tuple(_pairwise())) and len(call.inputs) > 2:
            return self._chain
        for found in (operation_rule(call), product_rule(call), step_rule(call)):
            if found is not None:
                return functools.partial(found, self)
        return None

    def add(
        self,
        call: Call,
        operation: Any,
        part: str,
        *args: Any,
        output: Value | None = None,
        shape: tuple[int | None, ...] | None = None,
    ) -> Value:
        """Call a part of what `call` was: `operation` makes it. The last part, with `output`, gets the name.

        `shape` is that of the result, where it is not that of the whole.
        """
        import keras

        key = (id(call.operation), part)
        if key not in self.parts:
            name = call.name if output is not None else self.graph.unique(f"{call.name}_{part}")
            made = operation(name)
            penalty = getattr(call.kind, "activity_regularizer", None)
            if output is not None and penalty is not None:  # of what the whole computes
                made.layer.activity_regularizer = penalty
            self.parts[key] = made, name
        made, name = self.parts[key]
        whole = call.outputs[0].symbol
        value = output or Value(whole if shape is None else keras.KerasTensor(shape, whole.dtype))
        self.graph.calls.append(Call(made, name, args, outputs=(value,), origin=call.origin))
        return value

    def _fused_activation(self, call: Call) -> None:
        """A layer with an activation: the layer without it, and the activation."""
        import keras

        layer = call.kind

        def plain(name: str) -> NewLayer:
            config = {**layer.get_config(), "activation": None, "activity_regularizer": None, "name": name}
            return NewLayer(type(layer).from_config(config), call.weights)

        def following(name: str) -> NewLayer:
            if isinstance(layer.activation, keras.layers.Layer):
                config = {**layer.activation.get_config(), "dtype": layer.dtype_policy, "name": name}
                return NewLayer(type(layer.activation).from_config(config))
            return NewLayer(keras.layers.Activation(layer.activation, dtype=layer.dtype_policy, name=name))

        linear = self.add(call, plain, "linear", *(call.args or call.inputs))
        self.expand_last()
        self.add(call, following, "activation", linear, output=call.output)
        self.expand_last()

    def expand_last(self) -> None:
        """The call that was added last may be one to rewrite itself."""
        last = self.graph.calls[-1]
        rule = self._rule(last)
        if rule is not None:
            self.graph.calls.pop()
            rule(last)

    def _separable(self, call: Call) -> None:
        """A separable convolution: a depthwise one and a 1×1 one."""
        import keras

        layer, (first, second, *bias) = call.kind, call.weights or []
        two = isinstance(layer, keras.layers.SeparableConv2D)
        shared = {"data_format": layer.data_format, "dtype": layer.dtype_policy, "trainable": layer.trainable}

        def depthwise(name: str) -> NewLayer:
            kind = keras.layers.DepthwiseConv2D if two else keras.layers.DepthwiseConv1D
            made = kind(
                layer.kernel_size,
                strides=layer.strides,
                padding=layer.padding,
                depth_multiplier=layer.depth_multiplier,
                dilation_rate=layer.dilation_rate,
                use_bias=False,
                depthwise_regularizer=layer.depthwise_regularizer,
                depthwise_constraint=layer.depthwise_constraint,
                name=name,
                **shared,
            )
            return NewLayer(made, [first])

        def pointwise(name: str) -> NewLayer:
            kind = keras.layers.Conv2D if two else keras.layers.Conv1D
            made = kind(
                layer.filters,
                1,
                use_bias=layer.use_bias,
                activation=layer.activation,
                kernel_regularizer=layer.pointwise_regularizer,
                bias_regularizer=layer.bias_regularizer,
                kernel_constraint=layer.pointwise_constraint,
                bias_constraint=layer.bias_constraint,
                name=name,
                **shared,
            )
            return NewLayer(made, [second, *bias])

        value = self.add(call, depthwise, "depthwise", *call.inputs)
        self.add(call, pointwise, "pointwise", value, output=call.output)
        self.expand_last()

    def _hard_sigmoid(self, call: Call) -> None:
        """relu6(x + 3) / 6, which the runtime computes in these steps."""
        import keras

        def clip(name: str) -> NewLayer:
            return NewLayer(keras.layers.ReLU(6.0, dtype=call.output.symbol.dtype, name=name))

        if self.bits == 16:
            shifted = self.add(call, self._rescaling(call, 1.0, 3.0), "shifted", *call.inputs)
        else:
            shifted = self.add(call, new_operation(lambda x: x + 3.0), "shifted", *call.inputs, 3.0)
        clipped = self.add(call, clip, "clipped", shifted)
        self.times(call, clipped, 1.0 / 6.0, "scaled")

    def _gated(self, call: Call, gate: str) -> None:
        """x · gate(x), which the runtime computes in these steps."""
        import keras

        def of(name: str) -> NewLayer:
            return NewLayer(keras.layers.Activation(gate, dtype=call.output.symbol.dtype, name=name))

        def product(name: str) -> NewLayer:
            return NewLayer(keras.layers.Multiply(dtype=call.output.symbol.dtype, name=name))

        (value,) = call.inputs
        gated = self.add(call, of, gate, value)
        self.expand_last()
        self.add(call, product, "product", [value, gated], output=call.output)

    def times(self, call: Call, value: Value, number: float, part: str) -> None:
        """A tensor times a number, as the last part."""
        import keras

        dtype = call.output.symbol.dtype
        if self.bits == 16:
            self.add(call, self._rescaling(call, number), part, value, output=call.output)
        elif isinstance(call.kind, keras.layers.Layer):
            # Who knows the layer by its name finds one.
            identity = keras.layers.Identity
            product = self.add(call, new_operation(lambda x: x * 2.0), part, value, number)
            self.add(
                call, lambda name: NewLayer(identity(dtype=dtype, name=name)), "whole", product, output=call.output
            )
        else:
            self.add(call, new_operation(lambda x: x * 2.0), part, value, number, output=call.output)

    def _shifted(self, call: Call) -> None:
        """A tensor and a number added, or one taken from the other: sums of 16 bits have two tensors alone."""
        number, first = _constant(call) or 0.0, next(iter((*call.args, *call.kwargs.values())))
        if type(call.kind).__name__ == "Add":
            scale = 1.0
        else:
            scale, number = (1.0, -number) if isinstance(first, Value) else (-1.0, number)
        self.add(call, self._rescaling(call, scale, number), "shifted", call.inputs[0], output=call.output)

    def _rescaling(self, call: Call, scale: float, offset: float = 0.0) -> Callable[[str], NewLayer]:
        import keras

        dtype = call.output.symbol.dtype
        return lambda name: NewLayer(keras.layers.Rescaling(scale, offset, dtype=dtype, name=name))

    def _average(self, call: Call) -> None:
        import keras

        values = call.inputs
        total = values[0]
        for place, value in enumerate(values[1:]):
            total = self.add(call, self._pair(call, keras.layers.Add), f"sum_{place}", [total, value])
        self.times(call, total, 1.0 / len(values), "share")

    def _chain(self, call: Call) -> None:
        """Of more than two tensors: of two at a time, since the runtime adds no more."""
        values = call.inputs
        total = values[0]
        for place, value in enumerate(values[1:], start=2):
            last = place == len(values)
            maker = self._pair(call, type(call.kind))
            total = self.add(call, maker, f"first_{place}", [total, value], output=call.output if last else None)

    def _pair(self, call: Call, kind: type) -> Callable[[str], NewLayer]:
        return lambda name: NewLayer(kind(dtype=call.kind.dtype_policy, name=name))


def _ends_in_activation(kind: Any) -> bool:
    """Return whether a layer has an activation and computes it last; a recurrent one has it inside of its steps."""
    import keras

    found = [getattr(keras.layers, name) for name in _WITH_ACTIVATION]
    computes = getattr(type(kind), "call", None)
    return getattr(kind, "activation", None) is not None and any(computes is one.call for one in found)


def _pairwise() -> list[type]:
    import keras

    return [keras.layers.Add, keras.layers.Multiply, keras.layers.Maximum, keras.layers.Minimum]


def _constant(call: Call) -> float | None:
    """The number that a call of one tensor and one number has; a divisor is in the second place."""
    arguments = [*call.args, *call.kwargs.values()]
    numbers = [argument for argument in arguments if isinstance(argument, Real)]
    if len(call.inputs) != 1 or len(arguments) != 2 or len(numbers) != 1:
        return None
    if type(call.kind).__name__ in ("Divide", "TrueDivide") and arguments[0] is numbers[0]:
        return None
    return float(numbers[0])


def _recognise_hard_swish(graph: Graph) -> None:
    """x · relu6(x + 3) / 6, in any order of the products: one activation, for which the runtime has an operator."""
    import keras

    producers, consumers = graph.producers(), graph.consumers()

    def factors(value: Value, *, top: bool) -> tuple[list[Value], float]:
        call = producers.get(value)
        name = type(call.kind).__name__ if call is not None else ""
        if call is None or name not in ("Multiply", "Divide", "TrueDivide"):
            return [value], 1.0
        if not top and len(consumers[value]) > 1:
            return [value], 1.0
        constant = _constant(call)
        if constant is None and name != "Multiply":
            return [value], 1.0
        found: list[Value] = []
        product = 1.0 if constant is None else constant if name == "Multiply" else 1.0 / constant
        for factor in call.inputs:
            inner, scale = factors(factor, top=False)
            found += inner
            product *= scale
        return found, product

    for place, call in enumerate(graph.calls):
        if type(call.kind).__name__ not in ("Multiply", "Divide", "TrueDivide"):
            continue
        found, product = factors(call.output, top=True)
        if len(found) != 2:
            continue
        for x, gate in (found, found[::-1]):
            if _gated(gate, producers, product) is x:
                layer = keras.layers.Activation("hard_swish", dtype=call.output.symbol.dtype, name=call.name)
                graph.calls[place] = Call(NewLayer(layer), call.name, (x,), outputs=call.outputs, origin=call.origin)
    _drop_unused(graph)


def _gated(value: Value, producers: dict[Value, Call], product: float) -> Value | None:
    """The x of a hard sigmoid, or of relu6(x + 3) with a product of 1/6 around it."""
    call = producers.get(value)
    if call is None:
        return None
    if activation(call.kind) == "hard_sigmoid" and product == 1.0:
        return call.inputs[0]
    if activation(call.kind) != "relu6" or not math.isclose(product, 1 / 6, rel_tol=1e-3):
        return None
    shift = producers.get(call.inputs[0])
    if shift is None or type(shift.kind).__name__ != "Add" or _constant(shift) != 3.0:
        return None
    return shift.inputs[0]


def _drop_unused(graph: Graph) -> None:
    """Leave out calls whose results nobody takes."""
    while True:
        consumers = graph.consumers()
        used = [call for call in graph.calls if any(value in consumers for value in call.outputs)]
        if len(used) == len(graph.calls):
            return
        graph.calls = used
