"""Names of layers apart: several bridges of one kind add layers of the same names to one teacher."""

from collections.abc import Mapping
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.feature_extraction import entry
from distiller.networks.internals import calls_in_order
from distiller.networks.subclassed import is_subclassed
from distiller.networks.weights import take_weights


class Apart:
    """Networks on the same inputs, changed so that they fit into one: no two of their layers have the same name.

    The first network that has a name keeps it. In those after it another layer of that name is replaced by a copy,
    weights and all, as `name_1`; layers that networks share stay shared, and no network that is given is changed.

    >>> inputs = keras.Input((2,))
    >>> one, other = (keras.Model(inputs, keras.layers.Dense(3, name="head")(inputs)) for _ in range(2))
    >>> apart = Apart()
    >>> apart(one) is one, [layer.name for layer in apart(other).layers][1:]
    (True, ['head_1'])
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, ...], _Group] = {}

    def __call__(self, network: keras.Model) -> keras.Model:
        """The network, or one that answers the same and has other names for some of its layers.

        Raises:
            InputError: a layer of a name that is taken cannot be copied.
        """
        if is_subclassed(network):  # which nothing can share inputs with
            return network
        return self._groups.setdefault(tuple(map(id, network.inputs)), _Group()).add(network)


class _Group:
    """Networks that start from the same tensors."""

    def __init__(self) -> None:
        self.taken: dict[str, Any] = {}
        self.copies: dict[int, Any] = {}
        self.moved: dict[int, keras.KerasTensor] = {}
        self.seen: list[keras.Model] = []  # kept, so that no other object gets the id of one of theirs

    def add(self, network: keras.Model) -> keras.Model:
        whole = keras.Model(entry(network), network.outputs)  # the graph of a Sequential one, too
        self.seen.append(whole)
        named = {layer.name: layer for layer in whole.operations}
        clashing = [layer for layer in named.values() if self.taken.get(layer.name, layer) is not layer]
        for layer in clashing:
            if id(layer) not in self.copies:
                copy = renamed(layer, {**named, **self.taken})
                self.copies[id(layer)] = self.taken[copy.name] = copy
        self.taken = {**named, **self.taken}
        return keras.Model(entry(network), self._outputs(whole), name=network.name) if clashing else network

    def _outputs(self, whole: keras.Model) -> Any:
        """The outputs with the copies in place; only what follows from a copy is computed anew."""
        for node in calls_in_order(whole):
            inputs = [self.moved.get(id(tensor), tensor) for tensor in node.input_tensors]
            same = all(new is old for new, old in zip(inputs, node.input_tensors, strict=True))
            if (same and id(node.operation) not in self.copies) or id(node.outputs[0]) in self.moved:
                continue
            layer = self.copies.get(id(node.operation), node.operation)
            filled = {id(old): new for old, new in zip(node.input_tensors, inputs, strict=True)}
            arguments, options = node.arguments.fill_in(filled)
            answers = keras.tree.flatten(layer(*arguments, **options))
            self.moved |= {id(old): new for old, new in zip(node.outputs, answers, strict=True)}
        moved = [self.moved.get(id(tensor), tensor) for tensor in whole.outputs]
        return moved[0] if len(moved) == 1 else moved


def renamed(layer: Any, taken: Mapping[str, Any]) -> Any:
    """`layer` where no other has its name, or else a copy of it, weights and all, with a name that is not taken.

    Raises:
        InputError: it does not come back from its configuration.
    """
    if taken.get(layer.name, layer) is layer:
        return layer
    number = 1
    while f"{layer.name}_{number}" in taken:
        number += 1
    try:
        copy = type(layer).from_config({**layer.get_config(), "name": f"{layer.name}_{number}"})
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InputError(
            f"Two bridges have a layer named {layer.name!r}, and it cannot be copied under another name. "
            f"Name one of the layers otherwise. {error}"
        ) from error
    if getattr(layer, "built", False) and layer.weights:
        if not copy.built:
            copy.build_from_config(layer.get_build_config())
        take_weights(copy, layer)
    return copy
