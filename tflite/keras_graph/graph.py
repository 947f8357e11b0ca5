"""A functional model as a list of calls that can be changed, and the way back to a model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.internals import functional as functional_of
from tflite.keras_graph.internals import history, nodes_by_depth, structures
from tflite.keras_graph.weights import take_weights

if TYPE_CHECKING:
    import keras


@dataclass(eq=False)
class Value:
    """A tensor between two calls: its symbol in the model that was read tells shape and type."""

    symbol: Any

    @property
    def rank(self) -> int:
        """Number of its axes, the batch's among them."""
        return len(self.symbol.shape)


@dataclass(eq=False)
class NewLayer:
    """A new layer and the weights that it gets once it is built."""

    layer: Any
    weights: list[np.ndarray] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer; sets its weights the first time."""
        output = self.layer(*args, **kwargs)
        if self.weights is not None:
            take_weights(self.layer, self.weights)
            self.weights = None
        return output


@dataclass(eq=False)
class Call:
    """One call of a layer or an operation, with values in place of tensors.

    `operation` is a layer or operation of the model that was read, of which the new model gets a copy, or a `NewLayer`
    one. Two calls of one layer share it. `name` is unique among operations. `origin` is the name that the call had when
    the model was read, of which it may be a part by now, and `around` the names of the models that it was inside of.
    """

    operation: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[Value, ...] = ()
    origin: str = ""
    around: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.origin = self.origin or self.name

    @property
    def kind(self) -> Any:
        """The layer or operation that tells what the call does."""
        return self.operation.layer if isinstance(self.operation, NewLayer) else self.operation

    @property
    def weights(self) -> list[np.ndarray] | None:
        """The weights of the layer; None for what has none."""
        if isinstance(self.operation, NewLayer):
            return self.operation.weights
        return self.operation.get_weights() if hasattr(self.operation, "get_weights") else None

    @property
    def inputs(self) -> list[Value]:
        """The tensors it is called on."""
        import keras

        return [leaf for leaf in keras.tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Value)]

    @property
    def output(self) -> Value:
        """Its only output."""
        (value,) = self.outputs
        return value

    def replace(self, old: Value, new: Value) -> None:
        """Be called on another tensor."""
        self.args, self.kwargs = _mapped(lambda leaf: new if leaf is old else leaf, (self.args, self.kwargs))


@dataclass(eq=False)
class Graph:
    """Calls in the order of computation; `inputs` and `outputs` are structures like those of the model."""

    name: str
    inputs: Any
    outputs: Any
    calls: list[Call]
    names: set[str]
    _shared: dict[tuple[int, Any], tuple[Any, "NewLayer"]] = field(default_factory=dict)

    def shared(self, call: Call, make: Callable[[str], "NewLayer"], also: Any = None) -> "NewLayer":
        """New layer of a call under its name: the calls of one layer with the same `also` share it.

        Those of one layer with another `also` get another name.
        """
        key = id(call.operation), also
        if key not in self._shared:
            first = all(operation is not call.operation for operation, _ in self._shared.values())
            # The operation is kept: another one could get its id.
            self._shared[key] = call.operation, make(call.name if first else self.unique(call.name))
        return self._shared[key][1]

    def unique(self, name: str) -> str:
        """`name`, or with a number where an operation has it already; from now on it is taken."""
        found, number = name, 1
        while found in self.names:
            number += 1
            found = f"{name}_{number}"
        self.names.add(found)
        return found

    def consumers(self) -> dict[Value, list[Call | None]]:
        """The calls on each tensor; an output of the model has the model itself, `None`, among them."""
        import keras

        found: dict[Value, list[Call | None]] = {}
        for call in self.calls:
            for value in call.inputs:
                found.setdefault(value, []).append(call)
        for value in keras.tree.flatten(self.outputs):
            found.setdefault(value, []).append(None)
        return found

    def producers(self) -> dict[Value, Call]:
        """The call that computes each tensor; inputs have none."""
        return {value: call for call in self.calls for value in call.outputs}

    def redirect(self, old: Value, new: Value, calls: Iterable[Call | None]) -> None:
        """Let `calls` take another tensor; with `None` among them, the model's outputs too."""
        for call in calls:
            if call is None:
                self.outputs = _mapped(lambda leaf: new if leaf is old else leaf, self.outputs)
            else:
                call.replace(old, new)

    def bypass(self, call: Call) -> None:
        """Leave out a call; who took its result takes its input."""
        self.redirect(call.output, call.inputs[0], self.consumers().get(call.output, []))
        self.calls.remove(call)

    def insert_after(self, call: Call, operation: Any, name: str) -> Call:
        """Call `operation` on the result of a call, for all who took the result."""
        inserted = Call(operation, name, (call.output,), outputs=(Value(call.output.symbol),))
        self.redirect(call.output, inserted.output, self.consumers().get(call.output, []))
        self.calls.insert(self.calls.index(call) + 1, inserted)
        return inserted

    def insert_before(self, call: Call, operation: Any, name: str) -> Call:
        """Call `operation` on the input of a call, for that call alone."""
        value = call.inputs[0]
        inserted = Call(operation, name, (value,), outputs=(Value(value.symbol),))
        call.replace(value, inserted.output)
        self.calls.insert(self.calls.index(call), inserted)
        return inserted


def _mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    import keras

    return keras.tree.map_structure(function, structure)


def read(model: "keras.Model") -> Graph:
    """The graph of a functional or sequential model; those inside of it are written out in place.

    A nested model's name stays behind as an identity layer on its output, where it has one.

    Raises:
        ModelError: a model that is, or holds, a subclassed one.
    """
    functional = _functional(model)
    reading = _Reading()
    inputs = _mapped(Value, structures(functional)[0])
    outputs = reading.run(functional, inputs, around=())
    graph = Graph(model.name, inputs, outputs, reading.found, set())
    graph.names.update(history(value.symbol)[0].name for value in _flat(inputs))
    _name(graph, reading.found)
    return graph


def _functional(model: Any) -> Any:
    """The functional model behind a model."""
    inner = functional_of(model)
    if inner is None:
        raise ModelError(
            f"Expected a functional or sequential model. Received: {model.name!r} of the subclass "
            f"{type(model).__name__}. Write it with keras.Model(inputs, outputs)"
        )
    return inner


def _flat(structure: Any) -> list[Any]:
    import keras

    return keras.tree.flatten(structure)


class _Reading:
    """The calls that were read so far."""

    def __init__(self) -> None:
        self.found: list[Call] = []

    def run(self, functional: Any, inputs: Any, *, around: tuple[str, ...]) -> Any:
        """Add the calls of a functional model on `inputs`; returns the structure of its outputs."""
        import keras

        values = {id(symbol): value for symbol, value in zip(functional.inputs, _flat(inputs), strict=True)}
        levels = nodes_by_depth(functional)
        for level in sorted(levels, reverse=True):
            for node in levels[level]:
                if node.is_input:
                    continue
                args, kwargs = _mapped(
                    lambda leaf: values[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf,
                    (node.arguments.args, node.arguments.kwargs),
                )
                if isinstance(node.operation, keras.Model):
                    given = args[0] if args else kwargs["inputs"]
                    outputs = self._nested(node.operation, given, around=around)
                else:
                    outputs = tuple(map(Value, node.outputs))
                    name = node.operation.name
                    self.found.append(Call(node.operation, name, args, kwargs, outputs, around=around))
                values.update((id(symbol), value) for symbol, value in zip(node.outputs, _flat(outputs), strict=True))
        return _mapped(lambda symbol: values[id(symbol)], structures(functional)[1])

    def _nested(self, model: Any, inputs: Any, *, around: tuple[str, ...]) -> Any:
        import keras

        inner = self.run(_functional(model), inputs, around=(*around, model.name))
        if len(_flat(inner)) != 1:
            return inner
        (value,) = _flat(inner)
        identity = keras.layers.Identity(name=model.name, dtype=value.symbol.dtype)
        named = Call(identity, model.name, (value,), outputs=(Value(value.symbol),), around=around)
        self.found.append(named)
        return named.outputs


def _name(graph: Graph, found: list[Call]) -> None:
    """Give every operation one name: its own where it is free, those of outer models first."""
    chosen: dict[int, str] = {}
    for call in sorted(found, key=lambda call: len(call.around)):
        key = id(call.operation)
        if key not in chosen:
            free = call.operation.name not in graph.names
            chosen[key] = graph.unique(call.operation.name if free else "_".join((*call.around, call.operation.name)))
        call.name = call.origin = chosen[key]


def write(graph: Graph, copy: Callable[[Call], Any]) -> "keras.Model":
    """A functional model of the calls; `copy` makes what is called in place of a call's `operation`."""
    import keras

    symbols: dict[Value, Any] = {}
    made: dict[int, Any] = {}

    def entry(value: Value) -> Any:
        symbol = value.symbol
        # The tensor of an input without a name is called otherwise than its layer, which names it in a file.
        name = history(symbol)[0].name
        symbols[value] = keras.Input(batch_shape=symbol.shape, dtype=symbol.dtype, name=name)
        return symbols[value]

    inputs = _mapped(entry, graph.inputs)
    for call in graph.calls:
        if id(call.operation) not in made:
            made[id(call.operation)] = copy(call)
        args, kwargs = _mapped(
            lambda leaf: symbols[leaf] if isinstance(leaf, Value) else leaf, (call.args, call.kwargs)
        )
        results = _flat(made[id(call.operation)](*args, **kwargs))
        for value, symbol in zip(call.outputs, results, strict=True):
            symbols[value] = symbol
    return keras.Model(inputs, _mapped(symbols.__getitem__, graph.outputs), name=graph.name)
