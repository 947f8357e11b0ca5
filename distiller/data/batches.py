"""Batches for training and evaluation, the same on every backend and after every restart."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.mixing import Mixing, one_hot
from distiller.data.splits import Split
from distiller.errors import InputError

if TYPE_CHECKING:
    from distiller.teachers.caching.cache import Cache
    from distiller.teachers.caching.caches import Caches
    from distiller.teachers.stored_outputs import OutputsOfSplit


class Batches(keras.utils.PyDataset):
    """Shuffled batches of (pixels float32 (batch, h, w, c), labels int32 (batch,)) without end, cut into epochs.

    The samples of pass 0 over the data, in the order of its shuffle, are followed by those of pass 1 and so on; step
    t takes samples t·batch_size … of that sequence. So an epoch may have any number of `steps`, also when the split is
    smaller than a batch, and students with few and with many labels get equal budgets. What step t holds depends on
    `seed` and t alone: `fit(…, shuffle=False)` with the `Replay` callback continues where an interrupted run stopped.
    Without `shuffle=False` Keras shuffles the batches of each epoch once more, by Python's global generator.

    With a cache a batch is (pixels, {"labels": …, "taught": {name: answers}}), and a `Distiller` does not run its
    teacher. Students of several seeds see the views of one cache where they name its seed as `views`. With `ids` the
    dict has the samples' places in the split, for objectives that remember samples. With `mixing` the labels are
    probabilities, float32 (batch, classes), −1 throughout where an unlabelled image has a share.

    Args:
        split: images and labels.
        batch_size: samples a batch.
        seed: of the shuffle.
        steps: batches an epoch; by default as many as fit in one pass, at least one.
        augmentation: random views; none by default.
        views: seed of the augmentation; by default `seed`.
        cycle: passes over the data after which the views repeat, not the shuffle; never by default.
        taught: a `distiller.teachers.Cache` of these images in these views, the `Caches` of several teachers, or
            `StoredOutputs.of(split)`.
        mixing: `MixUp` or `CutMix` of the images of a batch; none by default.
        classes: their number, where images are mixed.
        ids: whether batches say which samples they hold.

    Raises:
        InputError: no samples or an impossible number, mixed images with a cache or without `classes`, or the cache is
            of other images or views, or has fewer passes than `cycle`.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        seed: int = 0,
        steps: int | None = None,
        augmentation: Augmentation | None = None,
        views: int | None = None,
        cycle: int | None = None,
        taught: "Cache | Caches | OutputsOfSplit | None" = None,
        mixing: Mixing | None = None,
        classes: int | None = None,
        ids: bool = False,
    ):
        super().__init__()
        if batch_size < 1 or not len(split):
            raise InputError(
                f"Expected samples and a batch size of 1 or more. Received: {len(split)} samples, "
                f"batch_size={batch_size}"
            )
        if isinstance(augmentation, Mixing):
            raise InputError(f"Expected an Augmentation of single images. Received: {augmentation}: name it as mixing")
        if mixing and taught:
            raise InputError(f"A cache holds answers to single images, and {mixing} mixes them. Leave one of them out")
        if mixing and classes is None:
            raise InputError(f"Expected `classes`, the number of classes, with {mixing}. Received: none")
        if cycle is not None and cycle < 1:
            raise InputError(f"Invalid value for `cycle`. Expected 1 or more passes. Received: cycle={cycle}")
        for name, value in (("seed", seed), ("views", views)):
            if value is not None and not 0 <= value < 2**64:
                raise InputError(
                    f"Invalid value for `{name}`. Expected a whole number from 0, of 64 bits. Received: {name}={value}"
                )
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        self.steps = steps or max(1, len(split) // batch_size)
        self.augmentation = augmentation or Augmentation()
        self.views = seed if views is None else views
        self.cycle = 1 if self.augmentation == Augmentation() else cycle
        self.taught, self.mixing, self.classes, self.ids = taught, mixing, classes, ids
        if taught:
            taught.check(split, self.augmentation, self.views)
            taught.require(self.cycle or 1)
        # Which part of each batch is given, and of how many: several hosts share a training.
        self.part = (0, 1)
        self.epoch = 0
        self._next_epoch = 0
        self._order = lru_cache(maxsize=4)(self._shuffled)
        self._draws = lru_cache(maxsize=4)(self._drawn)

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self.steps

    def passes(self, epochs: int) -> int:
        """Number of passes over the data, each with views of its own, in so many epochs; the last may be partial."""
        passes = -(-epochs * self.steps * self.batch_size // len(self.split))
        return min(passes, self.cycle or passes)

    def require(self, epochs: int) -> None:
        """Raise InputError unless the cache, where there is one, is enough for so many epochs."""
        if self.taught:
            self.taught.require(self.passes(epochs))

    def seek(self, epoch: int) -> None:
        """Make the next epoch this one."""
        self._next_epoch = epoch

    def on_epoch_begin(self) -> None:
        """Keras calls this before it reads an epoch's batches, and on JAX once before it trains."""
        self.epoch = self._next_epoch
        self.require(self.epoch + 1)

    def on_epoch_end(self) -> None:
        """Keras calls this after an epoch's batches."""
        self._next_epoch = self.epoch + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        first = (self.epoch * self.steps + index) * self.batch_size
        own = slice(None) if self.mixing else self._own
        turns, places = np.divmod(np.arange(first, first + self.batch_size)[own], len(self.split))
        samples = np.concatenate([self._order(t)[places[turns == t]] for t in np.unique(turns)])
        images, labels = np.asarray(self.split.images[samples]), self.split.labels[samples]
        if self.augmentation != Augmentation():
            draws = np.concatenate([self._draws(self._view(t))[samples[turns == t]] for t in np.unique(turns)])
            if labels.ndim == 3:  # a class for each pixel moves with it
                images, labels = self.augmentation.with_masks(images, labels, draws)
            else:
                images = self.augmentation(images, draws)
        if self.mixing and self.classes:
            step = self.epoch * self.steps + index
            mixture = self.mixing.draws(self.views, step, len(samples))
            images, labels = (array[self._own] for array in self.mixing(images, labels, mixture, self.classes))
            samples = samples[self._own]
        more: dict[str, Any] = {"ids": samples.astype("int32")} if self.ids else {}
        if self.taught:
            parts = [self.taught.rows(self._view(t), samples[turns == t]) for t in np.unique(turns)]
            more["taught"] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return images.astype("float32"), {"labels": labels, **more} if more else labels

    def all_targets(self) -> Any:
        """The labels of all samples, and where batches say them the ids."""
        return {"labels": self.split.labels, "ids": np.arange(len(self.split))} if self.ids else self.split.labels

    @property
    def _own(self) -> slice:
        index, count = self.part
        return slice(index * self.batch_size // count, (index + 1) * self.batch_size // count)

    def _view(self, turn: int) -> int:
        """The pass whose views pass `turn` shows."""
        return int(turn % self.cycle if self.cycle else turn)

    def _shuffled(self, turn: int) -> np.ndarray:
        # A key that no augmentation has: their second word is the pass itself.
        key = np.array([self.seed, 2**63 + int(turn)], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).permutation(len(self.split))

    def _drawn(self, turn: int) -> np.ndarray:
        return self.augmentation.draws(self.views, turn, len(self.split))


class Replay(keras.callbacks.Callback):
    """Keeps `Batches` at the epoch that `fit` is in, also when `fit` starts at a later one."""

    def __init__(self, batches: Batches):
        super().__init__()
        self.batches = batches

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras: what a cache lacks shows before the first step."""
        self.batches.require(self.params["epochs"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self.batches.seek(epoch)


class InOrder(keras.utils.PyDataset):
    """Every sample of a split once, in order, as (pixels float32, labels int32): for evaluation.

    With `classes` the labels are probabilities, float32 (batch, classes), for a loss that takes mixed labels; −1
    throughout where a label is unknown.
    """

    def __init__(self, split: Split, batch_size: int = 256, *, classes: int | None = None):
        super().__init__()
        if not len(split):
            raise InputError("Expected at least one sample. Received: an empty split")
        self.split = split
        self.batch_size = batch_size
        self.classes = classes

    @property
    def num_batches(self) -> int:
        """Batches in all; the last may be smaller."""
        return -(-len(self.split) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        labels = self.split.labels[part]
        if self.classes:
            labels = one_hot(labels, self.classes)
        return np.asarray(self.split.images[part]).astype("float32"), labels
