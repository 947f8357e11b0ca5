"""How far a teacher's answers in bfloat16 are from those in float32, and how much sooner they are there.

    python -m benchmarks.teacher_precision --data-dir DIR

The packaged teacher answers the validation images of its own recipe twice. Batches of both take turns to be timed. One
JSON line is added to `results/teacher_precision.jsonl`.
"""

import argparse
import dataclasses
import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import lines
from benchmarks.arguments import whole

if TYPE_CHECKING:
    import numpy as np

NAME = "teacher_precision.jsonl"
# What is asked of answers that stand for those in float32, fixed before they were looked at.
AGREEMENT, DIVERGENCE, TEMPERATURE = 0.99, 1e-3, 4.0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teacher_precision",
        description="Compare a teacher's answers in mixed_bfloat16 with those in float32, and the time of both.",
        epilog="example: python -m benchmarks.teacher_precision --images 500 --out runs/teacher_precision.jsonl",
    )
    parser.add_argument("--teacher", default="wide_cifar100", help="packaged weights (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    parser.add_argument("--images", type=whole, default=5000, help="of the validation split (%(default)s)")
    parser.add_argument("--batch", type=whole, default=128, help="images a forward pass (%(default)s)")
    parser.add_argument("--rounds", type=whole, default=11, help="timings of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the line to")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.cli.backend import load_backend
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

    from benchmarks import timing
    from distiller import models, recipes
    from distiller.building import load_data
    from distiller.provenance import provenance

    card = models.card(asked.teacher)
    data = recipes.TrainRecipe.model_validate(card["recipe"]).data
    held = load_data(data, asked.data_dir).validation
    images, labels = held.images[: asked.images].astype("float32"), held.labels[: asked.images]
    kinds = ("float32", "mixed_bfloat16")
    networks = {kind: models.load(asked.teacher, dtype=kind) for kind in kinds}
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
        **distance(*(answers[kind] for kind in kinds)),
        "seconds": seconds,
        "ratio": dataclasses.asdict(timing.ratio(seconds[kinds[1]], seconds[kinds[0]])),
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **provenance(),
    }


def distance(exact: "np.ndarray", rounded: "np.ndarray") -> dict[str, float]:
    """Of two teachers' logits (samples, classes): mean and largest |difference|, agreement, KL(exact, rounded) in nats.

    The divergence is a mean over samples at temperature 4. Logits are compared without each sample's own mean, which
    no softmax sees.

    >>> import numpy as np
    >>> distance(np.float32([[0, 2]]), np.float32([[1, 3]]))
    {'mean_difference': 0.0, 'largest_difference': 0.0, 'agreement': 1.0, 'divergence': 0.0}
    """
    import keras
    import numpy as np

    exact, rounded = (logits - logits.mean(axis=-1, keepdims=True) for logits in (exact, rounded))
    apart = np.abs(exact - rounded)
    soft = (keras.ops.log_softmax(logits.astype("float64") / TEMPERATURE) for logits in (exact, rounded))
    p, q = map(keras.ops.convert_to_numpy, soft)
    return {
        "mean_difference": float(apart.mean()),
        "largest_difference": float(apart.max()),
        "agreement": float((exact.argmax(-1) == rounded.argmax(-1)).mean()),
        "divergence": float((np.exp(p) * (p - q)).sum(axis=-1).mean()),
    }


def sentence(line: dict[str, Any]) -> str:
    """The recorded figures in words, and whether they stay within the tolerance."""
    within = line["agreement"] >= AGREEMENT and line["divergence"] <= DIVERGENCE
    exact, rounded = (f"{100 * line['accuracy'][kind]:.2f} %" for kind in ("float32", "mixed_bfloat16"))
    ratio, name = line["ratio"], line["teacher"].replace("_", " ")
    verdict = "within" if within else "out of"
    return (
        f"{name} on {line['images']:,} validation images: {exact} in float32, {rounded} in "
        f"bfloat16; the same class for {100 * line['agreement']:.2f} %, divergence {line['divergence']:.5f} nats at "
        f"temperature {TEMPERATURE:.0f}, logits {line['mean_difference']:.3f} apart on average and "
        f"{line['largest_difference']:.2f} at most: {verdict} the tolerance (the same class for "
        f"{100 * AGREEMENT:.0f} %, {DIVERGENCE:g} nats). A forward pass in bfloat16 takes {ratio['median']:.2f} "
        f"({ratio['low']:.2f}–{ratio['high']:.2f}) times as long."
    )


def table() -> str:
    """The last recorded run, as a sentence for the documents."""
    recorded = lines.read(lines.RESULTS / NAME)
    return f"- {sentence(recorded[-1])}" if recorded else ""


if __name__ == "__main__":
    sys.exit(main())
