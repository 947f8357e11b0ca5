"""The names of a network's inputs and outputs, and their order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tflite.keras_graph.internals import functional, history, structures

if TYPE_CHECKING:
    import keras

# Those of a network with one floating-point input, and with one output. They are the same in every file.
INPUT, OUTPUT = "pixels", "output_0"


@dataclass(frozen=True)
class Interface:
    """Names of inputs and outputs in the order of `model.inputs` and `model.outputs`; no two are the same."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def single(self) -> bool:
        """True for one input and one output."""
        return len(self.inputs) == len(self.outputs) == 1


def interface(model: "keras.Model") -> Interface:
    """The names in the file of a functional or sequential model.

    Several inputs or outputs have the keys of the dictionary that the model takes or returns, else the names of its
    input and output layers; so has one input of integers.
    """
    inner = functional(model)
    entering, leaving = structures(inner)
    inputs = (INPUT,) if len(model.inputs) == 1 and model.inputs[0].dtype == "float32" else _names(entering)
    outputs = (OUTPUT,) if len(model.outputs) == 1 else _names(leaving, list(getattr(model, "output_names", [])))
    return Interface(inputs, outputs)


def structured(model: "keras.Model", arrays: list[Any]) -> Any:
    """Arrays in the order of `model.inputs`, nested as the model takes them."""
    import keras

    return keras.tree.pack_sequence_as(structures(functional(model))[0], arrays)


def _names(structure: Any, own: list[str] | None = None) -> tuple[str, ...]:
    """A name for each leaf, in the order of `keras.tree.flatten`."""
    import keras

    found: list[str] = []
    for place, (path, symbol) in enumerate(keras.tree.flatten_with_path(structure)):
        if any(isinstance(key, str) for key in path):
            name = "_".join(map(str, path))
        else:
            name = own[place] if own else history(symbol)[0].name
        unique, number = name, 1
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return tuple(found)
