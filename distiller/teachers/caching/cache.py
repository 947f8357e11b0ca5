"""A teacher's answers, computed once for any number of students."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.mixing import Mixing
from distiller.data.splits import Split
from distiller.errors import InputError, WorkError
from distiller.networks.feature_extraction import in_words, tap
from distiller.teachers.caching import key as keys
from distiller.teachers.caching.building import Build
from distiller.teachers.caching.shards import Shards, any_stored, clean
from distiller.teachers.caching.stored_rows import Rows

# Samples of a file: 32 MB of 1000 logits in float16, and so little work that a killed process loses few of minutes.
SHARD = 16384


class Cache:
    """A teacher's outputs for every view of every training image, in a folder: a patient teacher, 2106.05237.

    The teacher sees exactly the views that the students see later (Beyer et al. 2021, "consistent teaching"): a view
    depends on (seed, pass over the data, sample) alone, so that students of other seeds, recipes and batch sizes read
    the same answers. They lie in shards of a fixed number of samples, which are mapped into memory when a batch first
    reads rows of them.

    The folder belongs to one teacher with its weights, compute dtypes and bridge, one set of images, one augmentation,
    one choice of layers and of dtype; whatever differs later is an error that names it. Labels do not matter. Mixed
    images (`data.MixUp`, `data.CutMix`) depend on their batch, and cannot be cached.

    Args:
        folder: of this cache alone; made by `build`.
        teacher: the network that answers; of a `Distiller`, `distiller.teacher`, which is behind the bridge.
        layers: names of its layers to store beside the logits, as objectives name them.
        dtype: "float16" (rounds to 11 bits: a relative error of 2⁻¹¹ at most) or "float32".
        top_k: keep so many logits of each answer and share the rest of the probability evenly; see
            `distiller.teachers.caching.stored_rows.keep_top`. All where None.

    Raises:
        InputError: the folder holds a cache of another teacher, other layers, or in another form; the options or
            layers are impossible.

    >>> import keras
    >>> import numpy as np
    >>> from distiller.teachers import Cache
    >>> import tempfile
    >>> from distiller import data
    >>> split = data.Split(np.zeros((6, 8, 8, 1), "uint8"), np.zeros(6, "int32"))
    >>> views = data.Augmentation(crop=1)
    >>> teacher = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> folder = tempfile.TemporaryDirectory()
    >>> cache = Cache(folder.name, teacher).build(split, views, seed=0, passes=2)
    >>> images, y = data.Batches(split, 4, seed=5, views=0, augmentation=views, taught=cache)[0]
    >>> [answer.shape for answer in y["taught"].values()]
    [(4, 3)]
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | Path,
        teacher: keras.Model,
        layers: str | Iterable[str | int] = (),
        *,
        dtype: str = "float16",
        top_k: int | None = None,
    ):
        self.folder = Path(folder)
        self._teacher = teacher
        self._layers = [layers] if isinstance(layers, str) else [str(layer) for layer in layers]
        self._taps = tap(teacher, self._layers, role="teacher")
        self._rows = Rows({name: answer.shape[1:] for name, answer in self._taps.output.items()}, dtype, top_k)
        self._form = {"dtype": dtype, "top_k": top_k}
        self._key: keys.Key | None = None
        self._shards: Shards | None = None
        self._complete = 0  # passes that are known to be whole
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"The folder of the cache, {str(self.folder)!r}, is a file")
        if any_stored(self.folder):
            keys.compare(self.folder, self._read(), self._key_of_teacher())

    def build(
        self,
        split: Split,
        augmentation: Augmentation | None = None,
        *,
        seed: int = 0,
        passes: int,
        batch_size: int = 256,
        shard: int = SHARD,
        progress: Callable[[int], Any] | None = None,
    ) -> "Cache":
        """Compute what is missing of so many passes over `split`; returns this cache, checked and ready.

        A build that was interrupted goes on with the shard it was in. Several processes, also of several machines with
        a common disk, may build at once: they share the shards, and in the end wait for each other's last. The files
        are the same whoever writes them, as far as the teacher's answers are: with the same `batch_size`.

        Args:
            split: the images; their labels do not matter.
            augmentation: the random views; without one all passes are alike, and one is stored.
            seed: of the views; what `Batches` calls `views`.
            passes: over the data; `Batches.passes(epochs)` says how many a training reads.
            batch_size: images that the teacher sees at once.
            shard: samples of a file. A cache that has been begun keeps its own number; those of before there were
                shards have a file a pass.
            progress: called with the number of images done, of passes × images.

        Raises:
            InputError: the folder holds a cache of something else, a file of it is damaged, images are mixed, or the
                teacher's answers are not finite or too large for the dtype.
            WorkError: the folder cannot be written to.
        """
        show = _rising(progress)
        with self.begin(split, augmentation, seed=seed, passes=passes, batch_size=batch_size, shard=shard) as work:
            for done in work.check_stored():
                show(done)
            for part in work.missing():
                work.compute(part, show)
            work.finish()
            show(work.images)
        return self

    @contextmanager
    def begin(
        self,
        split: Split,
        augmentation: Augmentation | None = None,
        *,
        seed: int = 0,
        passes: int,
        batch_size: int = 256,
        shard: int = SHARD,
    ) -> Iterator[Build]:
        """The work of `build`, to be done in the block, part by part; arguments and errors are those of `build`."""
        if isinstance(augmentation, Mixing):
            raise InputError(f"Mixed images depend on their batch and cannot be cached. Received: {augmentation}")
        if passes < 1 or batch_size < 1 or shard < 1 or not len(split):
            raise InputError(
                "Expected images, and 1 or more for `passes`, `batch_size` and `shard`. "
                f"Received: {len(split)} images, passes={passes}, batch_size={batch_size}, shard={shard}"
            )
        views = augmentation or Augmentation()
        # The teacher's part anew: it may have been trained since.
        key = {**keys.of_views(split, views, seed), **self._key_of_teacher()}
        layout = keys.Layout(len(split), shard)
        try:
            self._open(key, layout)
            assert self._shards is not None
            turns = range(1 if views == Augmentation() else passes)
            belong = partial(self._belong, key, layout)
            yield Build(self._taps, self._rows, self._shards, split, views, seed, turns, batch_size, belong)
        except OSError as error:
            raise WorkError(
                f"The cache in {str(self.folder)!r} cannot be built: {error.strerror or error}. "
                f"A pass takes {len(split) * self._rows.dtype.itemsize:,} bytes"
            ) from error
        finally:
            if not any_stored(self.folder):
                keys.discard(self.folder, key)

    def check(self, split: Split, augmentation: Augmentation, seed: int) -> None:
        """Raise InputError unless the cache is of these images in these views."""
        if self._key is None:
            raise InputError(f"The cache in {str(self.folder)!r} is empty. Call its `build(split, …)` first")
        keys.compare(self.folder, self._key, keys.of_views(split, augmentation, seed))

    def match(self, networks: Mapping[str, keras.Model], layers: Mapping[str, Iterable[str]]) -> None:
        """Raise InputError unless a `Distiller` of these teachers and tapped layers finds its answers in here.

        Args:
            networks: what `Distiller.teachers` is.
            layers: names of the tapped layers of each.
        """
        if len(networks) != 1:
            raise InputError(f"Expected the `Caches` of the teachers {sorted(networks)}. Received: one Cache")
        self.match_one(*networks.values(), *layers.values())

    def match_one(self, network: keras.Model, layers: Iterable[str]) -> None:
        """Raise InputError unless the cache is of this teacher, with these layers beside its logits."""
        if self._key is not None:
            remedy = "Give the Distiller the teacher that the cache was built with"
            keys.compare(self.folder, self._key, keys.of_network(network), remedy)
        missing = [name for name in layers if name not in self._rows.shapes]
        if missing:
            raise InputError(
                f"The cache in {str(self.folder)!r} lacks the teacher's layers {missing}. "
                f"Expected Cache(…, layers={[*self._layers, *missing]})"
            )

    def require(self, passes: int) -> None:
        """Raise InputError unless so many passes are stored."""
        if passes > self.passes:
            raise InputError(
                f"The cache in {str(self.folder)!r} holds {self.passes} passes over the data, and {passes} are needed. "
                f"Build it with passes={passes}, or let the views repeat: Batches(…, cycle={self.passes})"
            )

    def rows(self, turn: int, samples: np.ndarray) -> dict[str, np.ndarray]:
        """The teacher's outputs for the views of `samples` in pass `turn`: float32 (n, …) by name.

        Raises:
            InputError: that pass is not stored, or its file is damaged.
        """
        if turn >= self._complete:
            self.require(turn + 1)
            self._complete = self.passes
        assert self._shards is not None
        return self._rows.unpack(self._shards.rows(turn, samples))

    @property
    def passes(self) -> int:
        """Number of stored passes over the data, counted from the first."""
        return self._shards.passes if self._shards else 0

    def describe(self) -> dict[str, Any]:
        """The content, ready for JSON: passes, bytes, the shape of each answer, dtype, top_k and the key."""
        return {
            "passes": self.passes,
            "bytes": self._shards.stored_bytes if self._shards else 0,
            "answers": {name: list(shape) for name, shape in self._rows.shapes.items()},
            **self._form,
            "key": self._key,
        }

    def __repr__(self) -> str:
        stored = self.describe()
        answers = ", ".join(f"{in_words(name)} {tuple(shape)}" for name, shape in stored["answers"].items())
        form = f"{stored['dtype']}, top {stored['top_k']}" if stored["top_k"] else stored["dtype"]
        return (
            f"<Cache {str(self.folder)!r}: {stored['passes']} passes, {stored['bytes']:,} bytes, {answers} in {form}>"
        )

    def _open(self, key: keys.Key, layout: keys.Layout) -> None:
        """Make the folder this cache's, or see that it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        clean(self.folder)
        if not any_stored(self.folder):
            keys.discard(self.folder)
        self._belong(key, layout)
        self._read(layout.samples)

    def _belong(self, key: keys.Key, layout: keys.Layout) -> None:
        """See that the folder is this cache's; a free one is from now on."""
        keys.claim(self.folder, key, layout)
        self._key = keys.read(self.folder)
        keys.compare(self.folder, self._key, key)

    def _read(self, samples: int = 0) -> keys.Key:
        """Know whose the folder is, and how its files are laid out; returns its key."""
        self._key = key = keys.read(self.folder)
        self._complete = 0
        stored = keys.layout(self.folder)
        count, size = stored or (samples, None)
        self._shards = Shards(self.folder, key, count, size, self._rows.dtype)
        return key

    def _key_of_teacher(self) -> keys.Key:
        return {**keys.of_teacher(self._teacher, self._taps, self._layers), **self._form}


def _rising(progress: Callable[[int], Any] | None) -> Callable[[int], None]:
    """`progress`, called only where there is more than before."""
    told = 0

    def show(done: int) -> None:
        nonlocal told
        if done > told:
            told = done
            if progress:
                progress(done)

    return show
