"""Bridges that are there already: how a saved Distiller remembers its own."""

from collections.abc import Mapping

import keras

from distiller.bridges.bridge import Bridge
from distiller.networks.feature_extraction import entry


class SavedBridge(Bridge):
    """A network behind a bridge, and whether the student answers it with an auxiliary head."""

    def __init__(self, network: keras.Model, *, auxiliary: bool = False):
        self.network, self.auxiliary = network, auxiliary

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The network."""
        return self.network

    def head(self, teacher: keras.Model) -> keras.Layer | None:
        """A head for the network's classes, if the student has one."""
        return auxiliary_head(teacher) if self.auxiliary else None


def auxiliary_head(teacher: keras.Model) -> keras.Layer:
    """A linear head with a logit for each class of the teacher, in float32."""
    return keras.layers.Dense(teacher.output_shape[-1], dtype="float32", name="auxiliary_head")


def joined(networks: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """Networks by name, with those that share their inputs as one network of a dict, named after all of them.

    Saved one by one, what they share would be there twice after loading, and its weights only once.
    """
    groups: dict[object, list[str]] = {}
    for name, network in networks.items():
        groups.setdefault(tuple(map(id, getattr(network, "inputs", None) or [network])), []).append(name)
    return {
        _SEPARATOR.join(names): networks[names[0]]
        if len(names) == 1
        else keras.Model(entry(networks[names[0]]), {name: networks[name].outputs[0] for name in names})
        for names in groups.values()
    }


def parted(groups: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """The networks that `joined` was given; those that share their inputs share their layers."""
    return {
        name: network if name == names else keras.Model(entry(network), network.output[name], name=name)
        for names, network in groups.items()
        for name in names.split(_SEPARATOR)
    }


_SEPARATOR = "\n"
