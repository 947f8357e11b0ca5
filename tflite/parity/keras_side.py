"""Outputs of every layer of a Keras model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.internals import flatten_layers

if TYPE_CHECKING:
    import keras


# Operations of `keras.ops` that the converter makes an activation of the operator before, or folds into its weights.
_FUSED = frozenset(
    {
        "Add",
        "Cast",
        "Clip",
        "Divide",
        "HardTanh",
        "Identity",
        "Maximum",
        "Minimum",
        "Multiply",
        "Negative",
        "Relu",
        "Relu6",
        "Reshape",
        "Subtract",
        "TrueDivide",
    }
)


@dataclass(eq=False)
class Call:
    """One call of a layer or operation: its place in the order of computation, its path, what it computed.

    `sources` are the places of the calls that it read from. `vanishes` says that the runtime may have no operator for
    it: a normalisation, an activation, a rounding or an operation with a constant becomes part of what is before it.
    """

    place: int
    path: str
    kind: str
    vanishes: bool
    sources: tuple[int, ...]
    output: np.ndarray


def calls(model: "keras.Model", images: np.ndarray) -> list[Call]:
    """Run a functional model and keep the output of every call that has a single one, in order.

    Args:
        model: a copy that nobody else uses, on the TensorFlow backend.
        images: a batch.

    Raises:
        ModelError: images that the model does not take.
    """
    from keras import ops

    found: list[Call] = []
    made: dict[int, int] = {}
    kept: list[Any] = []  # so that no two tensors have the same id

    def keep(operation: Any, path: str, inputs: Any, output: Any) -> None:
        tensors = [leaf for leaf in _flat(inputs) if ops.is_tensor(leaf)]
        if not ops.is_tensor(output) or len(output.shape) < 2:
            return
        sources = tuple(dict.fromkeys(made[id(leaf)] for leaf in tensors if id(leaf) in made))
        if id(output) not in made:
            array = ops.convert_to_numpy(ops.cast(output, "float32"))
            found.append(Call(len(found), path, type(operation).__name__, _vanishes(operation), sources, array))
            made[id(output)] = len(found) - 1
            kept.append(output)

    with _watched(model, keep):
        try:
            model(images.astype("float32"), training=False)
        except ValueError as error:
            raise ModelError(f"The Keras model {model.name!r} does not take images {images.shape}: {error}") from error
    return found


def _flat(structure: Any) -> list[Any]:
    import keras

    return keras.tree.flatten(structure)


def _vanishes(operation: Any) -> bool:
    import keras

    if isinstance(operation, keras.layers.BatchNormalization):
        return True
    if isinstance(operation, keras.layers.Layer):
        return not operation.trainable_weights
    return type(operation).__name__ in _FUSED


@contextmanager
def _watched(model: "keras.Model", keep: Any) -> Iterator[None]:
    """Tell `keep` of every call of a layer, or operation between layers, that holds no others."""
    import keras

    watched: list[tuple[Any, Any]] = []

    def watch(operation: Any, path: str) -> None:
        own = operation.call

        def call(*args: Any, **kwargs: Any) -> Any:
            output = own(*args, **kwargs)
            keep(operation, path, (args, kwargs), output)
            return output

        watched.append((operation, vars(operation).get("call")))
        object.__setattr__(operation, "call", call)

    def visit(parent: Any, prefix: str) -> None:
        inner = flatten_layers(parent, include_self=False, recursive=False)
        operations = [op for op in getattr(parent, "operations", []) if not isinstance(op, keras.layers.Layer)]
        for child in inner:
            path = f"{prefix}{child.name}"
            if isinstance(child, keras.Model):
                visit(child, f"{path}/")
            elif not isinstance(child, keras.layers.InputLayer):
                watch(child, path)
        for operation in operations:
            watch(operation, f"{prefix}{operation.name}")

    visit(model, "")
    try:
        yield
    finally:
        for operation, own in watched:
            if own is None:
                object.__delattr__(operation, "call")
            else:
                object.__setattr__(operation, "call", own)
