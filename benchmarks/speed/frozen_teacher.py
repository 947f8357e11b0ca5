"""Accuracy and speed of a frozen teacher: its outputs and its forward pass beside those of the teacher in float32.

    python -m benchmarks.speed.frozen_teacher --data-dir DIR

The packaged teacher, and the result of `teachers.frozen`, predict the validation images of its own recipe. Forward
passes of both are timed in turn. One JSON line is added to `results/frozen_teacher.jsonl`.
"""

import argparse
import dataclasses
import functools
import sys
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, batch, command, data_dir, option, positive, rounds

NAME = "frozen_teacher.jsonl"
# Tolerances for outputs in place of those in float32, fixed before they were measured.
AGREEMENT, DIVERGENCE, TEMPERATURE = 0.99, 1e-3, 4.0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Line of a run."""
    import tensorflow as tf

    from benchmarks.speed.measuring import timing
    from distiller import models, recipes, teachers
    from distiller.runs.building import load_data
    from distiller.teachers.closeness import closeness

    card = models.card(args.teacher)
    data = recipes.TrainRecipe.model_validate(card["recipe"]).data
    held = load_data(data, args.data_dir).validation
    images, labels = held.images[: args.images].astype("float32"), held.labels[: args.images]
    teacher = models.load(args.teacher)
    networks = {"teacher": models.fuse(teacher), "frozen": teachers.frozen(teacher)}
    outputs = {
        kind: network.predict(images, batch_size=args.batch, verbose=0).astype("float32")
        for kind, network in networks.items()
    }
    batch = tf.constant(images[: args.batch])

    def forward(network: Any) -> Any:
        call = tf.function(lambda x: network(x, training=False))
        return lambda: [call(batch)]

    makers = {kind: functools.partial(forward, network) for kind, network in networks.items()}
    seconds = timing.compile_and_time("frozen teacher", makers, rounds=args.rounds, count=4)
    return {
        "teacher": args.teacher,
        "data": data.model_dump(mode="json"),
        "images": len(images),
        "accuracy": {kind: float((output.argmax(-1) == labels).mean()) for kind, output in outputs.items()},
        **dataclasses.asdict(closeness(outputs["teacher"], outputs["frozen"], temperature=TEMPERATURE)),
        "seconds": seconds,
        "ratio": dataclasses.asdict(timing.ratio(seconds["frozen"], seconds["teacher"])),
    }


def sentence(line: dict[str, Any]) -> str:
    """Recorded figures in words, with the verdict on the tolerance."""
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
    """Last recorded run as a list item."""
    return lines.last_in_words(NAME, sentence)


@command(
    option("--teacher", default="wide_cifar100", metavar="NAME", help="packaged weights"),
    data_dir(),
    option("--images", type=positive, default=5000, metavar="N", help="images of the validation split"),
    batch(128),
    rounds(11),
    results=NAME,
    show=lambda found: sentence(found[-1]),
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line."""
    return [measure(args)]


if __name__ == "__main__":
    sys.exit(main())
