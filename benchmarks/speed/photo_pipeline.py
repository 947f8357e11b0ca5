"""Speed of photos beside a step of the fastest student: decoded as they are needed, and read from a mapped file.

    python -m benchmarks.speed.photo_pipeline --rounds 5

JPEGs of twice the size are made, and each round measures, one after the other, a training step of a student, the
batches of `data.Batches` from a file that `data.load` decoded once (with crops and flips, as they reach `fit`), the
same photos decoded by `distiller.data.photos` (Pillow, which scales JPEGs while it decodes them), and decoded by
TensorFlow at full size and at half (`tf.io.decode_jpeg`) and resized. One JSON line for each size is added to
`results/photo_pipeline.jsonl`: images a second of each, a round after the other. What else the machine does disturbs a
round, and less the ratio of its parts.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, batch, command, option, positive, rounds

NAME = "photo_pipeline.jsonl"
_CLASSES = 4
# In the order in which they are shown.
WAYS = ("step", "mapped", "pillow", "tensorflow", "tensorflow_half")


def measure(size: int, student: str, photos: int, batch: int, rounds: int) -> Line:
    """Images a second of each way, in each of so many rounds, with photos of so many pixels a side."""
    with tempfile.TemporaryDirectory() as folder:
        _draw(Path(folder) / "photos", photos, 2 * size)
        ways = _ways(Path(folder), size, student, batch)
        for run in ways.values():
            run()  # which compiles
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, run in ways.items():
                started = time.perf_counter()
                images = run()
                found[name].append(round(images / (time.perf_counter() - started), 1))
    return {"image": [size, size, 3], "student": student, "batch": batch, "photos": photos, "images_a_second": found}


def _draw(folder: Path, count: int, side: int) -> None:
    """JPEGs with the frequencies of photos: noise that is made larger, over finer noise."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for i in range(count):
        into = folder / f"class {i % _CLASSES}"
        into.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (side // 16, side // 16, 3), dtype="uint8"))
        pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype("int16")
        noisy = (pixels + random.integers(-12, 13, pixels.shape)).clip(0, 255).astype("uint8")
        Image.fromarray(noisy).save(into / f"{i}.jpg", quality=90)


def _ways(folder: Path, size: int, student: str, batch: int) -> dict[str, Callable[[], int]]:
    """Functions that go over a few batches, and return the number of their images."""
    import keras
    import numpy as np
    import tensorflow as tf

    from distiller import data, models
    from distiller.data import photos

    found = data.load(folder / "photos", image_size=(size, size), cache_dir=folder / "decoded").train
    batches = data.Batches(found, batch, augmentation=data.Augmentation(crop=size // 8, flip=True))
    network = models.build(student, _CLASSES, (size, size, 3), dtype="mixed_bfloat16")
    network.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = batches[0]
    given = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)
    paths = sorted((folder / "photos").rglob("*.jpg"))[: 2 * batch]

    def step() -> int:
        network.train_on_batch(*given)
        return batch

    def mapped() -> int:
        return sum(len(batches[i][1]) for i in range(batches.num_batches))

    def pillow() -> int:
        return len(photos.read(paths, (size, size), "read"))

    def decoded(ratio: int) -> Callable[[], int]:
        def one(path: Any) -> Any:
            pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=ratio)
            return tf.image.resize(pixels, (size, size), antialias=True)

        stream = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
        stream = stream.map(one, num_parallel_calls=tf.data.AUTOTUNE).batch(batch)
        return lambda: sum(len(np.asarray(part)) for part in stream)

    return dict(zip(WAYS, (step, mapped, pillow, decoded(1), decoded(2)), strict=True))


def sentence(line: dict[str, Any]) -> str:
    """Recorded medians in words, and the median of the rounds' ratios of the mapped file to a step."""
    speeds = line["images_a_second"]
    of = {name: f"{statistics.median(found):,.0f}" for name, found in speeds.items()}
    ratio = statistics.median(a / b for a, b in zip(speeds["mapped"], speeds["step"], strict=True))
    return (
        f"{line['image'][0]}×{line['image'][1]}, batch {line['batch']}, medians of {len(speeds['step'])} rounds, "
        f"images a second: a step of {line['student']} {of['step']}; batches from a mapped file {of['mapped']}, "
        f"{ratio:.1f} times as fast; decoded by Pillow {of['pillow']}, by TensorFlow {of['tensorflow']}, at half size "
        f"{of['tensorflow_half']}."
    )


def table() -> str:
    """Last recorded line of each size as list items."""
    last = {line["image"][0]: line for line in lines.read(lines.RESULTS / NAME)}
    return "\n".join(f"- {sentence(last[size])}" for size in sorted(last))


@command(
    rounds(5),
    option("--sizes", type=positive, nargs="+", default=(96, 224), metavar="N", help="height and width of the images"),
    option("--student", default="resnet8", metavar="NAME", help="network whose step it is (default: resnet8)"),
    option("--photos", type=positive, default=512, metavar="N", help="number of photos"),
    batch(32),
    results=NAME,
    show=lambda found: "\n".join(map(sentence, found)),
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line for each size."""
    return [measure(size, args.student, args.photos, args.batch, args.rounds) for size in args.sizes]


if __name__ == "__main__":
    sys.exit(main())
