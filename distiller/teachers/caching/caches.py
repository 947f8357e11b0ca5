"""Stored answers of several teachers, read as one."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.errors import InputError
from distiller.teachers.caching.cache import Cache


class Caches:
    """The caches of the teachers behind the bridges of one `Distiller`, for `data.Batches(…, taught=…)`.

    Args:
        caches: a `Cache` a bridge, by the first objective that has the bridge, as in `Distiller.teachers`.

    >>> import numpy as np
    >>> from distiller.teachers import Cache, Caches
    >>> import keras, tempfile
    >>> from distiller import data
    >>> split = data.Split(np.zeros((6, 8, 8, 1), "uint8"), np.zeros(6, "int32"))
    >>> teacher = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> folder = tempfile.TemporaryDirectory()
    >>> caches = Caches({"soft": Cache(folder.name, teacher).build(split, passes=1)})
    >>> [answer.shape for answer in caches.rows(0, np.arange(4)).values()]
    [(4, 3)]
    >>> folder.cleanup()
    """

    def __init__(self, caches: Mapping[str, Cache]):
        self._caches = dict(caches)

    def check(self, split: Split, augmentation: Augmentation, seed: int) -> None:
        """Raise InputError unless every cache is of these images in these views."""
        for cache in self._caches.values():
            cache.check(split, augmentation, seed)

    def match(self, networks: Mapping[str, keras.Model], layers: Mapping[str, Iterable[str]]) -> None:
        """Raise InputError unless a `Distiller` of these teachers and tapped layers finds its answers in here."""
        if networks.keys() != self._caches.keys():
            raise InputError(
                f"Expected a cache for each of the teachers {sorted(networks)}. Received: {sorted(self._caches)}"
            )
        for first, cache in self._caches.items():
            cache.match_one(networks[first], layers[first])

    def require(self, passes: int) -> None:
        """Raise InputError unless every cache has so many passes."""
        for cache in self._caches.values():
            cache.require(passes)

    def rows(self, turn: int, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Every teacher's outputs for the views of `samples` in pass `turn`: float32 (n, …) by "objective:name"."""
        return {
            f"{first}:{name}": answer
            for first, cache in self._caches.items()
            for name, answer in cache.rows(turn, samples).items()
        }
