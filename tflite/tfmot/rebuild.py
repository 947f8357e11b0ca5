"""A Keras 3 model, written anew in Keras 2."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.graph import Call, Graph, Value, read
from tflite.tfmot.layer_map import Twin, no_twin, twins
from tflite.tfmot.library import library
from tflite.tfmot.pixels import Rescaled, rescaled

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Rebuilt:
    """A model in Keras 2.

    Attributes:
        network: the `tf_keras.Model`, with the weights of the model.
        sources: name of a variable of the network → its place in `model.weights`.
        rescaling: name of a layer that rescales the input with constants → what it does.
        calls: name of a layer of the network → the call that it is, or is a part of.
        graph: what the model was read as.
    """

    network: Any
    sources: dict[str, int]
    rescaling: dict[str, Rescaled]
    calls: dict[str, Call]
    graph: Graph


def rebuild(model: "keras.Model", *, pixels: tuple[float, float] | None = None) -> Rebuilt:
    """A model written in Keras 2, which computes the same.

    Args:
        model: functional or sequential, of one input and one output. Nested models are written out.
        pixels: for quantization, the range of inputs that the model rescales first; None keeps layers whole.

    Raises:
        ModelError: several inputs or outputs, or a layer that cannot be written in Keras 2.
    """
    import keras

    graph = read(model)
    inputs, outputs = keras.tree.flatten(graph.inputs), keras.tree.flatten(graph.outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            "Expected a model with one input and one output. Received: "
            f"{model.name!r} with {len(inputs)} and {len(outputs)}"
        )
    writing = _Writing(model, graph, inputs[0], pixels)
    for call in graph.calls:
        writing.write(call)
    network = library().keras2.Model(writing.input, writing.tensors[outputs[0]], name=model.name)
    return Rebuilt(network, writing.sources, writing.rescaling, writing.calls, graph)


class _Writing:
    """A model in the making."""

    def __init__(self, model: "keras.Model", graph: Graph, entry: Value, pixels: tuple[float, float] | None):
        self.graph, self.pixels = graph, pixels
        self.keras2 = library().keras2
        symbol = entry.symbol
        self.input = self.keras2.Input(shape=symbol.shape[1:], dtype=symbol.dtype, name=symbol.name)
        self.tensors: dict[Value, Any] = {entry: self.input}
        self.entries = {entry}
        self.sources: dict[str, int] = {}
        self.rescaling: dict[str, Rescaled] = {}
        self.calls: dict[str, Call] = {}
        self.places = {id(variable): place for place, variable in enumerate(model.weights)}
        self.shared: dict[tuple[int, int], Any] = {}

    def write(self, call: Call) -> None:
        """Add what a call is."""
        known = None if self.pixels is None else rescaled(call, self.entries, self.pixels)
        inputs = [self.tensors[value] for value in call.inputs]
        x = inputs if len(inputs) > 1 else inputs[0]
        if known is not None:
            x = self._constant(call, known, x)
        else:
            for part, twin in enumerate(twins(call, apart=self.pixels is not None)):
                x = self._called(call, part, twin, x)
            if x is inputs[0] and call.inputs[0] in self.entries:
                self.entries.add(call.output)  # nothing was done to it
        self.tensors[call.output] = x

    def _called(self, call: Call, part: int, twin: Twin, x: Any) -> Any:
        """A new layer, called; or the same again, for one with weights that was called before."""
        key = (id(call.operation), part)
        if twin.variables and key in self.shared:
            if self.pixels is not None:
                raise no_twin(call, " that is called twice")
            return self.shared[key](x)
        again = key in self.shared or bool(twin.part)
        name = self.graph.unique(call.name + twin.part) if again else call.name
        layer = getattr(self.keras2.layers, twin.kind)(**twin.arguments, dtype="float32", name=name)
        layer.trainable = twin.trainable
        self.shared[key], self.calls[name] = layer, call
        x = layer(x)
        if twin.variables:
            layer.set_weights([np.asarray(variable, "float32") for variable in twin.variables])
            for variable, source in zip(layer.weights, twin.variables, strict=True):
                self.sources[variable.name] = self.places[id(source)]
        return x

    def _constant(self, call: Call, known: Rescaled, x: Any) -> Any:
        """A depthwise 1×1 convolution: the operator for a scale and an offset that has an integer kernel."""
        if len(x.shape) != 4:
            raise no_twin(call, f" on inputs of {len(x.shape)} axes")
        channels = x.shape[-1]
        layer = self.keras2.layers.DepthwiseConv2D(1, dtype="float32", name=call.name)
        layer.trainable = False
        x = layer(x)
        layer.set_weights(
            [np.full((1, 1, channels, 1), known.scale, "float32"), np.full(channels, known.offset, "float32")]
        )
        self.rescaling[call.name] = known
        return x
