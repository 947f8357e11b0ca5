"""Memory of a training that streams more images than fit in memory.

    python -m benchmarks.speed.streaming_memory

The images are a file that is mapped, not read: as large as `--times` the machine's memory, and sparse, so that the disk
need not hold it. `fit` goes over all of it once through `data.Batches`, with a live teacher. One JSON line is added to
`results/streaming_memory.jsonl`: the process's memory of its own (without the pages of the file, which the system
takes back when it needs them) at points along the way.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, option, positive

NAME = "streaming_memory.jsonl"
_BATCH, _CLASSES = 32, 10


def measure(times: float, size: int, points: int) -> dict[str, Any]:
    """Sizes in bytes: of the data, of the machine's memory, and of the process after each of `points` equal parts."""
    import keras
    import numpy as np

    from distiller import Distiller, data, objectives

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    count = max(points * _BATCH, int(times * memory / (3 * size * size)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images"
        images = np.memmap(file, "uint8", "w+", shape=(count, size, size, 3))
        labels = np.arange(count, dtype="int32") % _CLASSES
        steps = count // _BATCH // points
        batches = data.Batches(data.Split(images, labels), _BATCH, steps=steps)
        teacher, student = _network(size, 8), _network(size, 4)
        distiller = Distiller(teacher=teacher, student=student, objectives={"soft": objectives.get("hinton")})
        distiller.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        own: list[int] = []
        meter = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: own.append(own_bytes()))
        distiller.fit(batches, epochs=points, shuffle=False, callbacks=[meter], verbose=2)
    return {
        "data_bytes": images.nbytes,
        "memory_bytes": memory,
        "image": [size, size, 3],
        "images": steps * points * _BATCH,
        "own_bytes": own,
    }


def _network(size: int, channels: int) -> Any:
    """Network whose cost is small beside reading its images."""
    import keras

    inputs = keras.Input((size, size, 3))
    x = keras.layers.AveragePooling2D(size // 8)(inputs)
    x = keras.layers.Conv2D(channels, 3, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(_CLASSES)(keras.layers.GlobalAveragePooling2D()(x)))


def own_bytes(status: str | None = None) -> int:
    """Of this process in memory, without mapped files (`RssAnon` of `/proc/self/status`, proc(5)).

    >>> own_bytes("Name: python\\nRssAnon:\\t    12 kB\\nRssFile:\\t     7 kB\\n")
    12288
    """
    text = Path("/proc/self/status").read_text() if status is None else status
    (kilobytes,) = (row.split()[1] for row in text.splitlines() if row.startswith("RssAnon:"))
    return 1024 * int(kilobytes)


def sentence(line: dict[str, Any]) -> str:
    """Recorded figures in words; a GB is 10⁹ bytes, an MB 10⁶."""
    own = [f"{size / 1e6:.0f} MB" for size in (line["own_bytes"][0], max(line["own_bytes"]), line["own_bytes"][-1])]
    images = f"{line['images']:,} of {line['image'][0]}×{line['image'][1]}"
    return (
        f"{line['data_bytes'] / 1e9:.1f} GB of images ({images}), a machine with {line['memory_bytes'] / 1e9:.1f} GB: "
        f"the process holds {own[0]} after the first of {len(line['own_bytes'])} parts, {own[1]} at most and {own[2]} "
        "after the last."
    )


def table() -> str:
    """Last recorded run as a list item."""
    return lines.last_in_words(NAME, sentence)


@command(
    option("--times", type=float, default=1.25, metavar="FACTOR", help="size of the data over that of the memory"),
    option("--size", type=positive, default=512, metavar="N", help="height and width of the images"),
    option("--points", type=positive, default=10, metavar="N", help="measurements on the way"),
    results=NAME,
    show=lambda found: sentence(found[-1]),
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line."""
    return [measure(args.times, args.size, args.points)]


if __name__ == "__main__":
    sys.exit(main())
