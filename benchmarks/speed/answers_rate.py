"""Teacher outputs a second on 1, 2 and more workers of a Ray cluster on this machine, and in one process without Ray.

    python -m benchmarks.speed.answers_rate --workers 1 2

Every worker has one thread, so that more workers than cores simulate machines that get a part of a core's time each.
The images are random numbers of the teacher's size: what they show does not change the time. The first shards, with
the start of the workers and the first trace, are in `seconds` and not in the rate. One JSON line per number of workers
and round is added to `results/answers_rate.jsonl`.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.results import lines
from benchmarks.shell import Line, at_least, batch, command, option, positive, rounds

NAME = "answers_rate.jsonl"
ALONE = 0
# Logits that are kept where an answer is shortened, of which the table says the bytes.
TOP_K = 20
_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def measure(args: argparse.Namespace) -> list[Line]:
    """Lines of one round after another, the numbers of workers in turn."""
    from distiller.utils.processes import pool

    os.environ.update(_THREAD)
    found = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(args.rounds):
            for workers in [ALONE, *args.workers] if number % 2 == 0 else [*reversed(args.workers), ALONE]:
                with pool(1) as processes:  # a new one each time, which loads TensorFlow with its one thread
                    out = Path(place) / f"{number}-{workers}"
                    setting = (args.teacher, workers, args.shards, args.shard, args.batch)
                    found.append(processes.submit(measured, out, *setting).result())
    return found


def measured(out: Path, teacher: str, workers: int, shards: int, shard: int, batch: int) -> Line:
    """Line of one number of workers, whose answers are stored in the folder `out`."""
    import keras

    from distiller import models, teachers
    from distiller.recipes.schema import Data, Teacher
    from distiller.runs.teacher_answers import TeacherAnswers, store_answers

    named = "file" if Path(teacher).suffix else "load"
    network: keras.Model = teachers.load(teacher) if named == "file" else models.load(teacher)
    image, classes = network.input_shape[1:], network.output_shape[-1]
    count = max(workers, 1) * shards * shard
    path = _random_images(out.with_suffix(".npz"), count, image, classes)
    asked = TeacherAnswers(
        Teacher.model_validate({named: teacher}),
        Data(name=str(path), validation=0.1),
        out,
        shard=shard,
        batch_size=batch,
    )
    seen: list[tuple[float, int]] = []
    started = time.perf_counter()
    if workers:
        import ray

        ray.init(address="local", num_cpus=workers, include_dashboard=False)
    stored = store_answers(
        asked,
        ray="local" if workers else None,
        processes=max(workers, 1),
        progress=lambda done: seen.append((time.perf_counter(), done)),
    )
    return {
        "workers": workers,
        "teacher": teacher,
        "image": list(image),
        "classes": classes,
        "images": count,
        "shard": shard,
        "batch": batch,
        "seconds": time.perf_counter() - started,
        "images_a_second": steady_rate(seen, max(workers, 1) * shard),
        "bytes": stored["bytes"],
        "threads": 1,
    }


def _random_images(path: Path, count: int, image: tuple[int, ...], classes: int) -> Path:
    """A file of arrays with so many training images; what else it has to hold is as little as can be."""
    images = np.random.default_rng(0).integers(0, 256, (count, *image), "uint8")
    few = np.arange(classes, dtype="int32")
    held = images[few % count]
    np.savez(path, x_train=images, y_train=np.arange(count) % classes, x_val=held, y_val=few, x_test=held, y_test=few)
    return path


def steady_rate(seen: list[tuple[float, int]], warm: int) -> float:
    """Answers a second after the first `warm` of them, from (seconds, answers done).

    >>> steady_rate([(9.0, 50), (10.0, 100), (11.0, 150), (14.0, 400)], 100)
    75.0
    """
    later = [(at, done) for at, done in seen if done >= warm]
    (begun, before), (ended, after) = later[0], later[-1]
    return (after - before) / (ended - begun)


def sentences(found: list[Line]) -> list[str]:
    """Rates, efficiencies and the cost of a million images, in words."""
    line = found[0]
    cores = line["machine"]["cores"]
    rates = {
        workers: statistics.median(line["images_a_second"] for line in found if line["workers"] == workers)
        for workers in sorted({line["workers"] for line in found})
    }
    alone = rates.pop(ALONE)
    return [
        f"One process of one thread without Ray: {alone:,.0f} answers a second.",
        *(_efficiency(workers, rate, alone, cores) for workers, rate in rates.items()),
        *_costs(alone, cores, math.prod(line["image"]), line["classes"]),
        f"{line['teacher']}, images of {'×'.join(map(str, line['image']))}; {lines.machine(line)}.",
    ]


def _efficiency(workers: int, rate: float, alone: float, cores: int) -> str:
    busy = min(workers, cores)
    simulated = f", simulated on {cores} cores" if workers > cores else ""
    return (
        f"{workers} worker{'s' * (workers > 1)} of Ray{simulated}: {rate:,.0f} answers a second, "
        f"{rate / (busy * alone):.2f} times that of {busy} such process{'es' * (busy > 1)}."
    )


def _costs(rate: float, cores: int, image: int, classes: int) -> list[str]:
    """Cost of a million images, and of 100 million on machines like this one, from answers a second of a core.

    >>> _costs(1000.0, 2, 150528, 1000)[0]
    'A million images: 0.28 hours of a core; 2.0 GB in float16, 0.1 GB with the best 20 logits; 151 GB are read.'
    >>> _costs(1000.0, 2, 150528, 1000)[1]
    '100 million, ten machines: 1.4 hours, 200 GB; 3,011 MB a second are read from the common disk, 40 written.'
    """
    hours, full = 1e6 / rate / 3600, row_bytes(classes, None)
    kept = f", {row_bytes(classes, TOP_K) / 1e3:.1f} GB with the best {TOP_K} logits" if classes > TOP_K else ""
    answers = 10 * cores * rate
    return [
        f"A million images: {hours:.2f} hours of a core; {full / 1e3:.1f} GB in float16{kept}; "
        f"{image / 1e3:.0f} GB are read.",
        f"100 million, ten machines: {10 * hours / cores:.1f} hours, {full / 10:,.0f} GB; "
        f"{answers * image / 1e6:,.0f} MB a second are read from the common disk, {answers * full / 1e6:,.0f} written.",
    ]


def row_bytes(classes: int, top_k: int | None) -> int:
    """Bytes of a stored answer of so many logits in float16.

    >>> row_bytes(1000, None), row_bytes(1000, 20)
    (2000, 82)
    """
    from distiller.networks.feature_extraction import LOGITS
    from distiller.teachers.caching.stored_rows import Rows

    return Rows({LOGITS: (classes,)}, "float16", top_k).dtype.itemsize


def table() -> str:
    """Last recorded run as a list."""
    return listed(lines.last_run(lines.RESULTS / NAME))


def listed(found: list[Line]) -> str:
    """Sentences on a run as a list."""
    return "\n".join(f"- {said}" for said in sentences(found))


@command(
    option("--teacher", default="wide_cifar100", metavar="NAME", help="packaged weights, or a .keras file"),
    option("--workers", type=positive, nargs="+", default=[1, 2, 4], metavar="N", help="numbers of workers"),
    option("--shards", type=at_least(2), default=8, metavar="N", help="shards that each worker computes"),
    option("--shard", type=positive, default=1024, metavar="N", help="images of a shard"),
    batch(128),
    rounds(3),
    results=NAME,
    show=listed,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per round and number of workers."""
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
