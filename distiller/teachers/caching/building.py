"""The parts that a cache still lacks, computed part by part, by one process or by many."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.teachers.caching.predictions import answers
from distiller.teachers.caching.shards import Part, Shards
from distiller.teachers.caching.stored_rows import Rows
from distiller.utils import locks

# Seconds between two looks at what another process is at.
_POLL = 0.2
# Locks that this process holds.
_HELD: set[Path] = set()


class Build:
    """Work on a cache that is open, made by `Cache.begin`.

    Args:
        network: what answers, by name.
        rows: how answers are packed.
        shards: the files.
        split: the images.
        augmentation: the random views.
        seed: of the views.
        turns: the passes.
        batch_size: images that the network sees at once.
        belong: raises InputError where the folder is another cache's by now.
    """

    def __init__(
        self,
        network: keras.Model,
        rows: Rows,
        shards: Shards,
        split: Split,
        augmentation: Augmentation,
        seed: int,
        turns: range,
        batch_size: int,
        belong: Callable[[], Any],
    ):
        self.shards, self.turns = shards, turns
        self._network, self._rows, self._split = network, rows, split
        self._augmentation, self._seed, self._batch_size = augmentation, seed, batch_size
        self._belong = belong
        self.done = 0  # answers that are known to be there
        self._known: set[Part] = set()
        self._draws = lru_cache(maxsize=2)(lambda turn: augmentation.draws(seed, turn, len(split)))

    @property
    def images(self) -> int:
        """Number of answers that there are to be in all: passes × images."""
        return len(self.turns) * len(self._split)

    def check_stored(self) -> Iterator[int]:
        """Compare what is there with its digests; yields how many answers that is, part by part."""
        for part in self.shards.parts(self.turns):
            if self.shards.stored(part):
                self.shards.check(part)
                self.note(part)
                yield self.done

    def left(self) -> list[Part]:
        """The parts that are not there now."""
        return [part for part in self.shards.parts(self.turns) if not self._there(part)]

    def missing(self) -> Iterator[Part]:
        """The parts that are not there, those first that nobody has begun; it waits for what others are at.

        Whoever takes a part computes it before the next; one that `compute` leaves to another comes again, should the
        other not finish it.
        """
        shards, left = self.shards, []
        for part in shards.parts(self.turns):
            if self._there(part):
                continue
            left.append(part)
            if not shards.begun(part):
                yield part
        while left := [part for part in left if not self._there(part)]:
            abandoned = (part for part in left if not shards.awaited(part))
            new = (part for part in left if not shards.begun(part))
            free = next(itertools.chain(new, abandoned), None)
            if free is None:
                time.sleep(_POLL)
            else:
                yield free

    def compute(self, part: Part, step: Callable[[int], Any] = lambda done: None) -> bool:
        """Compute a part and write it, unless it is there or another process is at it; returns whether it is there.

        Args:
            part: of this cache.
            step: called with how many answers of all are there.

        Raises:
            InputError: the answers are not finite, or too large for the dtype; the folder is another cache's by now.
            OSError: it cannot be written.
        """
        try:
            with self._held(part):
                if not self.shards.stored(part):
                    self.shards.write(part, self._packed(part, step))
                    self._belong()
        except locks.LockedError:
            return False
        self.note(part)
        return True

    @contextmanager
    def _held(self, part: Part) -> Iterator[None]:
        """Hold a part, so that two processes that begin at one moment do not both compute it."""
        path = self.shards.lock(part)
        if path in _HELD:  # two builds in one process must not wait for each other
            yield
            return
        with locks.alone(path):
            _HELD.add(path)
            try:
                yield
            finally:
                _HELD.discard(path)

    def finish(self) -> None:
        """See that every part is there and whole, and write down the passes as done."""
        for turn in self.turns:
            for part in self.shards.parts([turn]):
                self.shards.check(part)
                self.shards.lock(part).unlink(missing_ok=True)  # of one that was killed
            self.shards.complete(turn)

    def _there(self, part: Part) -> bool:
        if part not in self._known and self.shards.stored(part):
            self.note(part)
        return part in self._known

    def note(self, part: Part) -> None:
        """Count a part that is there."""
        if part not in self._known:
            self._known.add(part)
            self.done += len(self.shards.span(part))

    def _packed(self, part: Part, step: Callable[[int], Any]) -> Iterator[np.ndarray]:
        span, done = self.shards.span(part), self.done
        draws = self._draws(part.turn)
        for batch in answers(self._network, self._split, self._augmentation, draws, span, self._batch_size):
            rows = self._rows.pack(batch)
            yield rows
            done += len(rows)
            step(done)
        # Another build of the same may have failed and freed the folder, and one of something else taken it.
        self._belong()
