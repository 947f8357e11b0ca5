"""Everything that a teacher's outputs depend on, in a few short strings that can be compared."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.errors import InputError
from distiller.networks.internals import flatten_layers

# Names are chance where Keras gives them ("conv2d_7"), and the others change no answer of a network in inference mode.
_LEFT_OUT = {"name", "trainable", "build_config", "compile_config"}
# What the configurations of layers, inputs and tensors have: their dtypes have a string of their own. That of an
# operation, as of `keras.ops.cast`, is what it does.
_COMPUTE_IN_A_DTYPE = {"trainable", "batch_shape", "keras_history"}


def architecture(model: keras.Model) -> str:
    """A digest of the layers of `model`, their options and how they are connected.

    Names, and the dtypes that layers compute in, do not count.

    The code of a layer or model class is not seen, only its name and configuration.

    Raises:
        InputError: a layer has no configuration, so that another could be taken for it.

    >>> one, other = (keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)]) for units in (2, 3))
    >>> architecture(one) == architecture(keras.models.clone_model(one)), architecture(one) == architecture(other)
    (True, False)
    """
    try:
        described = _without_names(keras.saving.serialize_keras_object(model), {})
    except NotImplementedError as error:
        reason = " ".join(str(error).split()).partition(" Example")[0]
        raise InputError(f"Expected a teacher whose layers have a `get_config`. Received: {reason}") from error
    return _short(hashlib.sha256(json.dumps(described, sort_keys=True).encode()))


def weights(model: keras.Model) -> str:
    """A digest of the shapes, dtypes and values of all weights of `model`, in their order."""
    digest = hashlib.sha256()
    for variable in model.weights:
        _add(digest, ops.convert_to_numpy(variable.value))
    return _short(digest)


def precision(model: keras.Model) -> str:
    """The dtype policies of the layers of `model`, in their order.

    >>> precision(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_bfloat16")]))
    'mixed_bfloat16 ×1'
    """
    # A network's own policy is the global one of the moment it was made, and nothing computes in it.
    layers = (layer for layer in flatten_layers(model) if not isinstance(layer, keras.Model | keras.layers.InputLayer))
    runs = itertools.groupby(layer.dtype_policy.name for layer in layers)
    return ", ".join(f"{name} ×{len(list(run))}" for name, run in runs)


def images(array: np.ndarray) -> str:
    """Shape, dtype and digest of images, read block by block.

    >>> images(np.zeros((2, 4, 4, 1), "uint8"))
    '2×4×4×1 uint8 ...'
    """
    digest = hashlib.sha256()
    for first in range(0, len(array), 1024):
        _add(digest, array[first : first + 1024])
    return f"{'×'.join(map(str, array.shape))} {array.dtype} {_short(digest)}"


def _add(digest: Any, array: np.ndarray) -> None:
    digest.update(f"{array.shape} {array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view("uint8"))


def _short(digest: Any) -> str:
    return digest.hexdigest()[:16]


def _without_names(part: Any, places: Mapping[str, int]) -> Any:
    """A serialized network with the place of a layer, among its neighbours, where its name was."""
    if isinstance(part, dict):
        if isinstance(part.get("layers"), list):
            names = map(_name, part["layers"])
            places = {name: place for place, name in enumerate(names) if name is not None} or places
        left_out = _LEFT_OUT | {"dtype"} if part.keys() & _COMPUTE_IN_A_DTYPE else _LEFT_OUT
        return {key: _without_names(value, places) for key, value in part.items() if key not in left_out}
    if not isinstance(part, list | tuple):
        return part
    if len(part) == 3 and isinstance(part[0], str) and part[0] in places:  # an output: (layer, call, which of several)
        return [places[part[0]], *part[1:]]
    return [_without_names(item, places) for item in part]


def _name(layer: Any) -> str | None:
    """The name in the configuration of a layer; None for what else a layer of one's own may call its `layers`."""
    config = layer.get("config") if isinstance(layer, dict) else None
    name = config.get("name", layer.get("name")) if isinstance(config, dict) else None
    return name if isinstance(name, str) else None
