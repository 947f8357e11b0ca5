"""How far a frozen teacher's answers are from the teacher's in float32, and how much sooner they are there.

    python -m benchmarks.speed.frozen_teacher --data-dir DIR

The packaged teacher, and what `teachers.frozen` makes of it, answer the validation images of its own recipe. Batches of
both take turns to be timed. One JSON line is added to `results/frozen_teacher.jsonl`.
"""

import argparse
import dataclasses
import datetime
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.arguments import whole

NAME = "frozen_teacher.jsonl"
# What is asked of answers that stand for those in float32, fixed before they were looked at.
AGREEMENT, DIVERGENCE, TEMPERATURE = 0.99, 1e-3, 4.0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.frozen_teacher",
        description="Compare a frozen teacher's answers with those of the teacher in float32, and the time of both.",
        epilog="example: python -m benchmarks.speed.frozen_teacher --images 500 --out runs/frozen_teacher.jsonl",
    )
    parser.add_argument("--teacher", default="wide_cifar100", help="packaged weights (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    parser.add_argument("--images", type=whole, default=5000, help="of the validation split (%(default)s)")
    parser.add_argument("--batch", type=whole, default=128, help="images a forward pass (%(default)s)")
    parser.add_argument("--rounds", type=whole, default=11, help="timings of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the line to")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend
    from distiller.errors import InputError

    load_backend()
    try:
        line = measured(asked)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    lines.append(asked.out, [line])
    print(sentence(line))
    return 0


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """The line of a run."""
    import tensorflow as tf

    from benchmarks.speed import timing
    from distiller import models, recipes, teachers
    from distiller.building import load_data
    from distiller.provenance import provenance
    from distiller.teachers.closeness import closeness

    card = models.card(asked.teacher)
    data = recipes.TrainRecipe.model_validate(card["recipe"]).data
    held = load_data(data, asked.data_dir).validation
    images, labels = held.images[: asked.images].astype("float32"), held.labels[: asked.images]
    teacher = models.load(asked.teacher)
    networks = {"teacher": models.fuse(teacher), "frozen": teachers.frozen(teacher)}
    answers = {
        kind: network.predict(images, batch_size=asked.batch, verbose=0).astype("float32")
        for kind, network in networks.items()
    }
    batch = tf.constant(images[: asked.batch])

    def forward(network):
        call = tf.function(lambda x: network(x, training=False))
        return lambda: [call(batch)]

    steps = {kind: forward(network) for kind, network in networks.items()}
    for step in steps.values():
        timing.wait(step())
    seconds = timing.in_turn(steps, rounds=asked.rounds, count=4)
    return {
        "teacher": asked.teacher,
        "data": data.model_dump(mode="json"),
        "images": len(images),
        "accuracy": {kind: float((answer.argmax(-1) == labels).mean()) for kind, answer in answers.items()},
        **dataclasses.asdict(closeness(answers["teacher"], answers["frozen"], temperature=TEMPERATURE)),
        "seconds": seconds,
        "ratio": dataclasses.asdict(timing.ratio(seconds["frozen"], seconds["teacher"])),
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **provenance(),
    }


def sentence(line: dict[str, Any]) -> str:
    """The recorded figures in words, and whether they stay within the tolerance."""
    within = line["agreement"] >= AGREEMENT and line["divergence"] <= DIVERGENCE
    exact, rounded = (f"{100 * line['accuracy'][kind]:.2f} %" for kind in ("teacher", "frozen"))
    ratio, name = line["ratio"], line["teacher"].replace("_", " ")
    verdict = "within" if within else "out of"
    return (
        f"{name} on {line['images']:,} validation images: {exact} in float32, {rounded} "
        f"frozen; the same class for {100 * line['agreement']:.2f} %, divergence {line['divergence']:.5f} nats at "
        f"temperature {TEMPERATURE:.0f}, logits {line['mean_difference']:.3f} apart on average and "
        f"{line['largest_difference']:.2f} at most: {verdict} the tolerance (the same class for "
        f"{100 * AGREEMENT:.0f} %, {DIVERGENCE:g} nats). A frozen forward pass takes {ratio['median']:.2f} "
        f"({ratio['low']:.2f}–{ratio['high']:.2f}) times as long as one in float32; {lines.machine(line)}."
    )


def table() -> str:
    """The last recorded run, as a sentence for the documents."""
    recorded = lines.read(lines.RESULTS / NAME)
    return f"- {sentence(recorded[-1])}" if recorded else ""


if __name__ == "__main__":
    sys.exit(main())
