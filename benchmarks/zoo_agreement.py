"""Whether files answer as their quantization-aware models do: the zoo's students, trained on digits.

    python -m benchmarks.zoo_agreement

Every student is trained in floating point and then, quantization-aware, a fifth as long; its file is compared with it
before and after `tflite.round_biases`, on the images that it has not seen. One JSON line a student is added to
`results/zoo_agreement.jsonl`.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import lines

NAME = "zoo_agreement.jsonl"
STUDENTS = ("resnet8", "resnet20", "resnet32", "mobilenet_v2", "wrn_16_2")
GOAL = 0.995
EPOCHS, FURTHER = 15, 3
HEAD = ("student", "accuracy of the file", "agreement", "steps of the output", "agreement, biases as trained", "steps")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 1 where the goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo_agreement",
        description="Train the zoo's students on digits, quantization-aware, and compare their files with them.",
    )
    parser.add_argument("students", nargs="*", help=f"of {', '.join(STUDENTS)}; all by default")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="in floating point (%(default)s)")
    parser.add_argument("--results", type=Path, default=lines.RESULTS, help="folder of the recorded lines")
    asked = parser.parse_args(arguments)
    if asked.epochs != EPOCHS and asked.results == lines.RESULTS:
        parser.error("another number of epochs is no result: give --results another folder")
    for name in asked.students:
        if name not in STUDENTS:
            parser.error(f"unknown student {name!r}; expected one of {', '.join(STUDENTS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.cli.backend import load_backend

    load_backend()
    from distiller.progress import Reporter
    from distiller.provenance import provenance

    here = {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}
    chosen, found = asked.students or list(STUDENTS), []
    with Reporter().task("agreement", len(chosen)) as task:
        for place, name in enumerate(chosen, start=1):
            task.say(name)
            found.append({**agreement(name, asked.epochs), **here})
            task.advance_to(place)
    lines.append(asked.results / NAME, found)
    return int(any(line["agreement"] < GOAL for line in found))


def agreement(name: str, epochs: int) -> dict[str, Any]:
    """A trained student and its file: agreement and mean steps of the output, with biases rounded and as trained."""
    import tempfile

    import keras
    import numpy as np

    import tflite
    from distiller import data, models

    digits = data.load("digits")
    images, labels = digits.train.images.astype("float32"), digits.train.labels
    unseen = np.concatenate([digits.validation.images, digits.test.images])
    unseen_labels = np.concatenate([digits.validation.labels, digits.test.labels])
    keras.utils.set_random_seed(0)
    student = models.build(name, len(digits.classes), digits.image_shape)
    trained(student, images, labels, epochs, 2e-3)
    aware = tflite.quantize_aware(student)
    trained(aware, images, labels, FURTHER, 2e-4)
    line: dict[str, Any] = {"student": name, "images": len(unseen), "epochs": epochs, "further": FURTHER}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.tflite"
        for prefix in ("unrounded_", ""):
            if not prefix:
                tflite.round_biases(aware)
            tflite.convert(aware, path, scheme="int8")
            compared = tflite.compare(aware, path, unseen, labels=unseen_labels)
            line |= {f"{prefix}agreement": compared.agreement, f"{prefix}mean_lsb": compared.mean_lsb}
            line["accuracy"] = compared.accuracy
    return line


def trained(model: Any, images: Any, labels: Any, epochs: int, rate: float) -> None:
    """Train with hard labels."""
    import keras

    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=epochs, batch_size=64, verbose=0)


def table() -> str:
    """The last recorded run: a row a student."""
    recorded = lines.read(lines.RESULTS / NAME)
    last = [line for line in recorded if line["run"] == recorded[-1]["run"]]
    rows = [HEAD, (":---", *["---:"] * 5)]
    rows += [
        (
            line["student"],
            f"{100 * line['accuracy']:.2f}",
            f"{line['agreement']:.4f}",
            f"{line['mean_lsb']:.3f}",
            f"{line['unrounded_agreement']:.4f}",
            f"{line['unrounded_mean_lsb']:.3f}",
        )
        for line in last
    ]
    met = sum(line["agreement"] >= GOAL for line in last)
    note = (
        f"- agreement of {GOAL} or more: {met} of {len(last)} students. {last[0]['epochs']} epochs in floating point "
        f"and {last[0]['further']} quantization-aware; {last[0]['images']} images of validation and test."
    )
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", note])


if __name__ == "__main__":
    sys.exit(main())
