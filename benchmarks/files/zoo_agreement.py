"""Whether files answer as their quantization-aware models do: the zoo's students, trained on digits.

    python -m benchmarks.files.zoo_agreement

Every student is trained in floating point and then, quantization-aware for kernels of 8 and of 4 bits, a fifth as long;
its file is compared with it before and after `tflite.match_runtime`, on the images that it has not seen. One JSON
line a file is added to `results/zoo_agreement.jsonl`.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.markdown import markdown

NAME = "zoo_agreement.jsonl"
STUDENTS = ("resnet8", "resnet20", "resnet32", "mobilenet_v2", "wrn_16_2")
GOAL = 0.995
EPOCHS, FURTHER = 15, 3
SCHEMES = ("int8", "int4")
HEAD = ("student", "file", "accuracy of the file", "agreement", "steps of the output", "agreement, as trained", "steps")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 1 where the goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.files.zoo_agreement",
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
    from distiller.backend import load_backend

    load_backend()
    from distiller.progress import Reporter
    from distiller.provenance import provenance

    here = {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}
    chosen, found = asked.students or list(STUDENTS), []
    with Reporter().task("agreement", len(chosen)) as task:
        for place, name in enumerate(chosen, start=1):
            task.say(name)
            found += [{**line, **here} for line in agreement(name, asked.epochs)]
            task.advance_to(place)
    lines.append(asked.results / NAME, found)
    return int(any(line["agreement"] < GOAL for line in found))


def agreement(name: str, epochs: int) -> list[dict[str, Any]]:
    """A student's files: agreement and mean steps of the output, with biases rounded and as trained."""
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
    found = []
    for scheme in SCHEMES:
        aware = tflite.quantize_aware(student, scheme=scheme)
        trained(aware, images, labels, FURTHER, 2e-4)
        line = {"student": name, "scheme": scheme, "images": len(unseen), "epochs": epochs, "further": FURTHER}
        before = compared(aware, scheme, unseen, unseen_labels)
        tflite.match_runtime(aware)
        after = compared(aware, scheme, unseen, unseen_labels)
        line |= {"unrounded_agreement": before.agreement, "unrounded_mean_lsb": before.mean_lsb}
        line |= {"agreement": after.agreement, "mean_lsb": after.mean_lsb, "accuracy": after.accuracy}
        found.append(line)
    return found


def compared(aware: Any, scheme: str, images: Any, labels: Any) -> Any:
    """A quantization-aware model and its file."""
    import tempfile

    import tflite

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.tflite"
        tflite.convert(aware, path, scheme=scheme)
        return tflite.compare(aware, path, images, labels=labels)


def trained(model: Any, images: Any, labels: Any, epochs: int, rate: float) -> None:
    """Train with hard labels."""
    import keras

    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=epochs, batch_size=64, verbose=0)


def table() -> str:
    """The last recorded run: a row a file."""
    recorded = lines.read(lines.RESULTS / NAME)
    if not recorded:
        return ""
    last = [line for line in recorded if line["run"] == recorded[-1]["run"]]
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
        for line in last
    ]
    met = sum(line["agreement"] >= GOAL for line in last)
    note = (
        f"- agreement of {GOAL} or more: {met} of {len(last)} files. {last[0]['epochs']} epochs in floating point "
        f"and {last[0]['further']} quantization-aware; {last[0]['images']} images of validation and test."
    )
    return markdown(HEAD, rows, [note])


if __name__ == "__main__":
    sys.exit(main())
