"""The files of a cache: every pass over the data in shards of a fixed number of samples."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from distiller.errors import InputError
from distiller.utils.atomic_files import awaited, sweep, unfinished, write_whole
from distiller.utils.checked_rows import digest_of, read_rows, write_rows

_PASS = "pass-{:04d}"
_MANIFEST = "manifest.json"


class Part(NamedTuple):
    """Content of one file: the answers to so many samples of one pass."""

    turn: int
    shard: int


class Shards:
    """Rows of a cache in files that are whole or not there, each with a digest of what and whose it is.

    A pass that fits in one shard is `pass-0003.npy`, as in caches that were written before there were shards. A longer
    one is the folder `pass-0003` with `00000.npy`, `00001.npy` and so on, and `manifest.json` when all are there: the
    numbers of samples, and the digest of each shard. Bytes depend on the place of a shard, and on nobody who writes it.

    Args:
        folder: of the cache.
        key: of the cache, as JSON can hold it.
        samples: of a pass.
        size: samples of a shard; the last of a pass may have fewer. A pass is one file where it is None.
        dtype: of a row.
    """

    def __init__(self, folder: Path, key: dict[str, Any], samples: int, size: int | None, dtype: np.dtype):
        self.folder, self.samples, self.dtype = folder, samples, dtype
        self.size = samples if size is None else size
        self._key = key
        self._whole = size is None or samples <= size
        self._mapped: dict[Part, np.ndarray] = {}

    def parts(self, turns: Iterable[int]) -> Iterator[Part]:
        """All parts of these passes, in their order."""
        count = 1 if self._whole else -(-self.samples // self.size)
        return (Part(turn, shard) for turn in turns for shard in range(count))

    def span(self, part: Part) -> range:
        """The samples of a part."""
        if self._whole:
            return range(self.samples)
        return range(part.shard * self.size, min((part.shard + 1) * self.size, self.samples))

    def file(self, part: Part) -> Path:
        """Path of a part, there or not."""
        place = self.folder / _PASS.format(part.turn)
        return place.with_name(f"{place.name}.npy") if self._whole else place / f"{part.shard:05d}.npy"

    def lock(self, part: Part) -> Path:
        """Path of the lock of whoever writes a part, in a folder that is there."""
        path = self.file(part)
        path.parent.mkdir(exist_ok=True)
        return path.with_suffix(".lock")

    def stored(self, part: Part) -> bool:
        """Return whether a part is there."""
        return self.file(part).exists()

    def begun(self, part: Part) -> bool:
        """Return whether somebody has begun to write a part."""
        return unfinished(self.file(part))

    def awaited(self, part: Part) -> bool:
        """Return whether another process is at a part, as far as one can see."""
        return awaited(self.file(part))

    def write(self, part: Part, rows: Iterable[np.ndarray]) -> None:
        """Write a part, given in blocks."""
        write_rows(self.file(part), rows, self.dtype, len(self.span(part)), self._salt(part))

    def check(self, part: Part) -> np.ndarray:
        """The rows of a part, mapped and compared with their digest when it is first asked for.

        Raises:
            InputError: the file is missing or damaged.
        """
        if part not in self._mapped:
            try:
                self._mapped[part] = read_rows(self.file(part), self._salt(part))
            except FileNotFoundError:
                raise InputError(
                    f"The file {str(self.file(part))!r} is missing. Build the cache again: only what is missing is "
                    "computed"
                ) from None
        return self._mapped[part]

    def complete(self, turn: int) -> None:
        """Write down that every shard of a pass is there, with their digests."""
        if self._whole:
            return
        digests = [digest_of(self.file(part)) for part in self.parts([turn])]
        content = {"samples": self.samples, "shard": self.size, "sha256": digests}
        data = (json.dumps(content, indent=1) + "\n").encode()
        if not self._manifest(turn).exists() or self._manifest(turn).read_bytes() != data:
            write_whole(self._manifest(turn), data)

    def rows(self, turn: int, samples: np.ndarray) -> np.ndarray:
        """Rows (n,) of samples of a pass; of its shards those are read that have them.

        Raises:
            InputError: a shard is missing or damaged.
        """
        if self._whole:
            return self.check(Part(turn, 0))[samples]
        rows = np.empty(len(samples), self.dtype)
        shards, places = np.divmod(samples, self.size)
        for shard in np.unique(shards):
            here = shards == shard
            rows[here] = self.check(Part(turn, int(shard)))[places[here]]
        return rows

    @property
    def passes(self) -> int:
        """Number of whole passes, counted from the first."""
        passes = 0
        while (self.file(Part(passes, 0)) if self._whole else self._manifest(passes)).exists():
            passes += 1
        return passes

    @property
    def stored_bytes(self) -> int:
        """Size of the whole passes."""
        return sum(self.file(part).stat().st_size for part in self.parts(range(self.passes)))

    def _manifest(self, turn: int) -> Path:
        return self.folder / _PASS.format(turn) / _MANIFEST

    def _salt(self, part: Part) -> bytes:
        """A file says with its digest what it is of, should two caches ever meet in one folder."""
        place = [part.turn] if self._whole else [part.turn, self.span(part).start, self.span(part).stop]
        return json.dumps([self._key, *place], sort_keys=True).encode()


def any_stored(folder: Path) -> bool:
    """Return whether a folder has a part of any pass; one in which a build failed before is free."""
    return any(next(folder.glob(pattern), None) is not None for pattern in ("pass-*.npy", "pass-*/*.npy"))


def clean(folder: Path) -> None:
    """Remove what killed writers left behind in the folder of a cache."""
    for place in (folder, *folder.glob("pass-*/")):
        sweep(place)
