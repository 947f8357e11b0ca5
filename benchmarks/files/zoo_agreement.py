"""Agreement of integer files with their quantization-aware models: the zoo's students, trained on digits.

    python -m benchmarks.files.zoo_agreement

Every student is trained in floating point and then, quantization-aware for kernels of 8 and of 4 bits, a fifth as long;
its file is compared with it before and after `tflite.match_runtime`, on the images that it has not seen. One JSON
line per file is added to `results/zoo_agreement.jsonl`.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, option, positive, progress
from distiller.report.markdown_table import markdown_table

NAME = "zoo_agreement.jsonl"
STUDENTS = ("resnet8", "resnet20", "resnet32", "mobilenet_v2", "wrn_16_2")
GOAL = 0.995
EPOCHS, FURTHER = 15, 3
SCHEMES = ("int8", "int4")
HEAD = ("student", "file", "accuracy of the file", "agreement", "steps of the output", "agreement, as trained", "steps")


def measure_agreement(name: str, epochs: int) -> list[dict[str, Any]]:
    """Lines of a student's files: agreement and mean output difference in steps, with biases rounded and as trained."""
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
    train(student, images, labels, epochs, 2e-3)
    found = []
    for scheme in SCHEMES:
        aware = tflite.quantize_aware(student, scheme=scheme)
        train(aware, images, labels, FURTHER, 2e-4)
        line = {"student": name, "scheme": scheme, "images": len(unseen), "epochs": epochs, "further": FURTHER}
        before = compare_with_file(aware, scheme, unseen, unseen_labels)
        tflite.match_runtime(aware)
        after = compare_with_file(aware, scheme, unseen, unseen_labels)
        line |= {"unrounded_agreement": before.agreement, "unrounded_mean_lsb": before.mean_lsb}
        line |= {"agreement": after.agreement, "mean_lsb": after.mean_lsb, "accuracy": after.accuracy}
        found.append(line)
    return found


def compare_with_file(aware: Any, scheme: str, images: Any, labels: Any) -> Any:
    """Comparison of a quantization-aware model with its file."""
    import tempfile

    import tflite

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.tflite"
        tflite.convert(aware, path, scheme=scheme)
        return tflite.compare(aware, path, images, labels=labels)


def train(model: Any, images: Any, labels: Any, epochs: int, rate: float) -> None:
    """Train with hard labels."""
    import keras

    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=epochs, batch_size=64, verbose=0)


def table() -> str:
    """Markdown table of the last recorded run."""
    return table_of_run(lines.last_run(lines.RESULTS / NAME))


def table_of_run(run: list[Line]) -> str:
    """Markdown table of a run: a row per file."""
    rows = [
        (
            line["student"],
            line["scheme"],
            f"{100 * line['accuracy']:.2f}",
            f"{line['agreement']:.4f}",
            f"{line['mean_lsb']:.3f}",
            f"{line['unrounded_agreement']:.4f}",
            f"{line['unrounded_mean_lsb']:.3f}",
        )
        for line in run
    ]
    met = sum(line["agreement"] >= GOAL for line in run)
    note = (
        f"- agreement of {GOAL} or more: {met} of {len(run)} files. {run[0]['epochs']} epochs in floating point "
        f"and {run[0]['further']} quantization-aware; {run[0]['images']} images of validation and test."
    )
    return markdown_table(HEAD, rows, [note])


def _trial(args: argparse.Namespace) -> str:
    return "another number of epochs" if args.epochs != EPOCHS else ""


@command(
    option("students", nargs="*", metavar="STUDENT", help=f"of {', '.join(STUDENTS)}; all by default"),
    option("--epochs", type=positive, default=EPOCHS, metavar="N", help="epochs in floating point"),
    results=NAME,
    show=table_of_run,
    passed=lambda run: all(line["agreement"] >= GOAL for line in run),
    trial=_trial,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per file; the exit code is 1 where the goal is missed."""
    from distiller.errors import InputError
    from distiller.utils.suggestions import unknown

    chosen, found = args.students or list(STUDENTS), []
    for name in chosen:
        if name not in STUDENTS:
            raise InputError(unknown("student", name, STUDENTS))
    with progress("agreement", len(chosen)) as task:
        for place, name in enumerate(chosen, start=1):
            task.say(name)
            found += measure_agreement(name, args.epochs)
            task.advance_to(place)
    return found


if __name__ == "__main__":
    sys.exit(main())
