"""Keras's preprocessing layers as random views that can be drawn again."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.errors import InputError
from distiller.utils.suggestions import unknown

# Images that are compiled together. A batch of any other size is filled up, so that a view has the same bits in all.
_TOGETHER = 16
_MIXING = ("MixUp", "CutMix")
_MIXED = (
    "{0} mixes the images of a batch, and a view is of one image. Name it as `mixing`, as data.MixUp or data.CutMix"
)
_BLENDING = ("AugMix",)
# What Keras chooses by chance, and what has no part in a view: it draws from the keys alone.
_LEFT_OUT = ("name", "seed", "trainable", "dtype")


class KerasViews:
    """Layers of Keras that change an image at random, one after another, each drawn from the keys of a view.

    A layer draws from the state of its `keras.random.SeedGenerator`. Here each image passes alone, with states that
    are given: a view depends on them and on the image, not on the batch. Two backends of Keras draw differently from
    the same states, so that the backend is part of what the views are.

    Args:
        layers: a layer, a `keras.Sequential`, a sequence of layers, or of their names with their arguments, such as
            `[{"name": "RandomRotation", "factor": 0.1}]`.

    Raises:
        InputError: an unknown name or impossible arguments, a layer that trains, or one that mixes images.

    >>> KerasViews([{"name": "RandomRotation", "factor": 0.1}]).layers[0].factor
    (-0.1, 0.1)
    """

    def __init__(self, layers: Any):
        self.layers = [_layer(part) for part in _flat(layers)]
        for layer in self.layers:
            if type(layer).__name__ in _MIXING:
                raise InputError(_MIXED.format(type(layer).__name__))
        self._described = json.dumps([_described(layer) for layer in self.layers], sort_keys=True)
        self._lock = threading.Lock()
        self._functions: dict[tuple[int, ...], Any] = {}
        self._states: list[Any] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KerasViews) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"KerasViews({self._described}, backend={keras.backend.backend()!r})"

    def words(self) -> int:
        """Number of random whole numbers that a view takes: two for each generator of the layers."""
        return 2 * sum(_generators(layer) for layer in self.layers)

    def __call__(
        self, images: np.ndarray, words: np.ndarray, masks: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Views of images, float32 of their shape, and of their masks where there are any.

        Args:
            images: (n, height, width, channels), 0 … 255.
            words: random whole numbers (n, `words()`), 0 … 2³¹ − 1.
            masks: whole numbers (n, height, width), one class a pixel, from −1, which says that none is known.

        Raises:
            InputError: a layer cannot work with such images or masks, or changes their shape.
        """
        blends = [type(layer).__name__ for layer in self.layers if type(layer).__name__ in _BLENDING]
        if masks is not None and blends:
            raise InputError(f"{blends[0]} blends several views of an image, which a mask of classes cannot follow")
        views, moved = [], []
        for first in range(0, len(images), _TOGETHER):
            part = slice(first, first + _TOGETHER)
            given = [images[part].astype("float32"), words[part].astype("int64")]
            if masks is not None:
                # Pixels from outside the image become 0, which is −1 afterwards.
                given.append(masks[part][..., None].astype("float32") + 1)
            count = len(given[0])
            found = self._views([np.resize(array, (_TOGETHER, *array.shape[1:])) for array in given])
            views.append(found[0][:count])
            if masks is not None:
                moved.append(np.round(found[1][:count, ..., 0]).astype(masks.dtype) - 1)
        return np.concatenate(views), np.concatenate(moved) if masks is not None else None

    def _views(self, given: list[np.ndarray]) -> list[np.ndarray]:
        with self._lock, keras.device("cpu:0"):
            key = (len(given), *given[0].shape)
            if key not in self._functions:
                self._prepare(given)
                self._functions[key] = _compiled(self._all)
            try:
                found = self._functions[key](*map(ops.convert_to_tensor, given))
            except InputError:
                raise
            except Exception as error:  # of whatever a layer of Keras or of one's own makes
                reason = " ".join(str(error).split())
                raise InputError(f"The layers of the augmentation failed: {reason[:300]}") from error
            return [np.asarray(ops.convert_to_numpy(array)) for array in found]

    def _prepare(self, given: list[np.ndarray]) -> None:
        """Build the layers, and see that a view has the shape of its image."""
        image = ops.convert_to_tensor(given[0][:1])
        for layer in self.layers:
            try:
                image = layer(image, training=True) if _knows_training(layer) else layer(image)
            except Exception as error:
                reason = " ".join(str(error).split())
                raise InputError(f"The augmentation's {type(layer).__name__} failed: {reason[:300]}") from error
            if layer.weights:
                raise InputError(
                    f"Expected layers without weights in an augmentation. Received: {type(layer).__name__}"
                )
        if tuple(image.shape[1:]) != given[0].shape[1:]:
            raise InputError(
                f"Expected an augmentation whose views have the shape of the images, {given[0].shape[1:]}. "
                f"Received: {tuple(image.shape[1:])}"
            )
        self._states = [variable for layer in self.layers for variable in layer.variables]

    def _all(self, images: Any, words: Any, *masks: Any) -> Any:
        return ops.map(lambda each: self._one(*each), (images, words, *masks))

    def _one(self, image: Any, words: Any, *masks: Any) -> Any:
        """The view of one image, and of its mask."""
        states = [
            (variable, ops.cast(words[2 * place : 2 * place + 2], variable.dtype))
            for place, variable in enumerate(self._states or [])
        ]
        data: Any = image[None]
        if masks:
            data = {"images": data, "segmentation_masks": masks[0][None]}
        with keras.StatelessScope(state_mapping=states):
            for layer in self.layers:
                data = layer(data, training=True) if _knows_training(layer) else layer(data)
        found = [data["images"], data["segmentation_masks"]] if masks else [data]
        return [ops.cast(array[0], "float32") for array in found]


def _flat(layers: Any) -> list[Any]:
    """The layers of nested sequences and of `keras.Sequential`, in their order."""
    if isinstance(layers, keras.Sequential):
        return _flat(layers.layers)
    if isinstance(layers, keras.layers.Pipeline):
        return _flat(layers.layers)
    if isinstance(layers, Sequence) and not isinstance(layers, str):
        return [part for each in layers for part in _flat(each)]
    return [layers]


def _layer(part: Any) -> keras.layers.Layer:
    """A layer, or one that is named with its arguments."""
    if isinstance(part, keras.layers.Layer):
        # A copy, with a generator of its own: the caller's goes on as if it had not been here.
        return type(part).from_config(part.get_config())
    named = {"name": part} if isinstance(part, str) else part
    if not isinstance(named, Mapping) or not isinstance(named.get("name"), str):
        raise InputError(
            "Expected layers of Keras in an augmentation, or their names with arguments, such as "
            f"{{'name': 'RandomRotation', 'factor': 0.1}}. Received: {part!r}"
        )
    if named["name"] in _MIXING:
        raise InputError(_MIXED.format(named["name"]))
    if named["name"] not in names():
        raise InputError(unknown("layer of keras.layers that changes images", named["name"], names()))
    options = {key: value for key, value in named.items() if key != "name"}
    try:
        return getattr(keras.layers, named["name"])(**options)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"Impossible arguments of {named['name']}: {reason[:300]}") from error


def names() -> list[str]:
    """Names of the layers of `keras.layers` that change images, as a recipe names them.

    >>> {"RandomRotation", "RandAugment", "AugMix"} <= set(names())
    True
    """
    base = keras.layers.RandomRotation.__mro__[1]  # of all preprocessing of images, which has no public name
    return sorted(
        name
        for name, found in vars(keras.layers).items()
        if isinstance(found, type) and issubclass(found, base) and name not in _MIXING and found is not base
    )


def _described(layer: keras.layers.Layer) -> list[Any]:
    """A layer as its class and arguments, without what has no part in a view."""

    def without(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: without(value) for key, value in part.items() if key not in _LEFT_OUT}
        return [without(item) for item in part] if isinstance(part, list | tuple) else part

    try:
        config = layer.get_config()
    except NotImplementedError as error:
        raise InputError(
            f"Expected layers with a `get_config` in an augmentation. Received: {type(layer).__name__}"
        ) from error
    return [type(layer).__name__, without(json.loads(json.dumps(config, default=repr)))]


def _generators(layer: keras.layers.Layer) -> int:
    return len(layer.variables) - len(layer.weights)


def _knows_training(layer: keras.layers.Layer) -> bool:
    return "training" in layer.call.__code__.co_varnames


def _compiled(function: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function
