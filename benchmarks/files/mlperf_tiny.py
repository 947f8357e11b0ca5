"""CIFAR-10 files of other people beside ours: MLPerf Tiny's image classifiers, through the same interpreter.

    python -m benchmarks.files.mlperf_tiny pretrainedResnet_quant.tflite pretrainedResnet.tflite --data-dir DIR

The files are yours to fetch, from benchmark/training/image_classification/trained_models of github.com/mlcommons/tiny
(Apache-2.0). Any TFLite classifier of CIFAR-10's images, 32×32×3 with pixels of 0 to 255, can stand there. Each is
evaluated on all 10,000 test images and timed on one thread, in turn with int8 files of our own students' networks,
whose time does not depend on their weights. One JSON line a file is added to `results/mlperf_tiny.jsonl`. A file that
is recorded already is measured anew, and the table shows its last line.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, data_dir, option, positive, progress
from distiller.report.markdown_table import Row, markdown_table

if TYPE_CHECKING:
    from distiller.data import Split

NAME = "mlperf_tiny.jsonl"
RUNS = 300
# SHA-256 of a published file → network and training in words.
PUBLISHED = {
    "b5c0046d6e0328b4956afd6baa29555a29b1f1c65bdd45aaed75b7cd484d9f79": "MLPerf Tiny's ResNet-8",
    "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415": "MLPerf Tiny's ResNet-8",
    "dc27dcd823f5665533352f7da516b0c9bc6f089914b8283782e55961b3423fcf": "MLPerf Tiny's larger network",
}
# Networks of our students, timed beside the files.
OURS = ("resnet8", "resnet20", "mobilenet_v2")
HEAD: Row = ("network", "file", "parameters", "multiply-adds", "bytes", "test accuracy", "ms, one thread")


def measure(path: Path, test: "Split") -> Line:
    """Line of a file: its cost and its accuracy on the images.

    Raises:
        InputError: the file is missing, or is no classifier of such images.
    """
    import tflite
    from distiller.errors import InputError

    try:
        found = tflite.inspect(path)
        shape, classes = found.inputs[0].shape[1:], found.outputs[0].shape[-1]
        if tuple(shape) != test.images.shape[1:] or classes != 10:
            raise InputError(
                f"Expected a classifier of images {test.images.shape[1:]} into 10 classes. Received: {path} with "
                f"{tuple(shape)} and {classes}"
            )
        evaluated = tflite.evaluate(path, (test.images, test.labels), task="classification")
    except (tflite.ModelError, OSError) as error:
        raise InputError(str(error)) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "file": path.name,
        "sha256": digest,
        "network": PUBLISHED.get(digest, path.stem),
        "scheme": found.inputs[0].dtype,
        "bytes": found.bytes,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "images": evaluated.samples,
        "correct": evaluated.correct,
        "test_accuracy": evaluated.accuracy,
    }


def own_files(networks: Sequence[str], images: Any, folder: Path) -> dict[str, Path]:
    """Network → an int8 file of it, untrained, with ranges of the images."""
    import tflite
    from distiller import models

    found = {name: folder / f"{name}.tflite" for name in networks}
    for name, path in found.items():
        tflite.convert(models.build(name, 10, images.shape[1:]), path, scheme="int8", representative=images)
    return found


def last_lines() -> list[Line]:
    """Last recorded line of each file, the smallest file first."""
    found = {line["sha256"]: line for line in lines.read(lines.RESULTS / NAME)}
    return sorted(found.values(), key=lambda line: line["bytes"])


def table() -> str:
    """Markdown table of all recorded files."""
    return table_of(last_lines())


def table_of(found: list[Line]) -> str:
    """Markdown table: a row per file."""
    rows = [
        (
            line["network"],
            line["scheme"],
            f"{line['parameters']:,}",
            f"{line['multiply_adds']:,}",
            f"{line['bytes']:,}",
            f"{100 * line['test_accuracy']:.2f}",
            f"{line['latency_ms']['median']:.3f}",
        )
        for line in found
    ]
    ours = found[-1].get("beside", {})
    in_words = ", ".join(f"{name} {times['median']:.3f}" for name, times in ours.items())
    beside = f"; int8 files of our students' networks in turn with them: {in_words}" if ours else ""
    machines = " and ".join(sorted({line["machine"]["processor"] for line in found}))
    note = f"- Accuracy in percent, on {found[0]['images']:,} test images; milliseconds on {machines}{beside}."
    return markdown_table(HEAD, rows, [note])


def rows_beside() -> list[Row]:
    """Rows for tables of our own students: network, float accuracy, int8 accuracy, bytes of the int8 file.

    Without milliseconds: those that are compared come from one run.
    """
    of_network: dict[str, dict[str, Any]] = {}
    for line in last_lines():
        of_network.setdefault(line["network"], {})[line["scheme"]] = line
    rows: list[Row] = []
    for network, files in of_network.items():
        accuracy = [
            f"{100 * files[kind]['test_accuracy']:.2f}" if kind in files else "" for kind in ("float32", "int8")
        ]
        rows.append((network, *accuracy, f"{files['int8']['bytes']:,}" if "int8" in files else ""))
    return rows


@command(
    option("files", nargs="+", type=Path, metavar="FILE", help="TFLite classifiers of CIFAR-10's images"),
    option("--beside", nargs="*", default=OURS, metavar="NETWORK", help="networks of the zoo to time beside the files"),
    option("--runs", type=positive, default=RUNS, metavar="N", help="timed runs of each file"),
    data_dir(),
    results=NAME,
    show=table_of,
    trial=lambda args: f"a latency of {args.runs} runs" if args.runs < RUNS else "",
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per file."""
    import tflite
    from distiller import data

    images = data.load("cifar10", data_dir=args.data_dir)
    found = []
    with progress("files", len(args.files)) as task, tempfile.TemporaryDirectory() as folder:
        for place, path in enumerate(args.files, start=1):
            task.say(path.name)
            found.append(measure(path, images.test))
            task.advance_to(place)
        ours = own_files(args.beside, images.train.images[:100], Path(folder))
        timed = tflite.benchmark([*args.files, *ours.values()], runs=args.runs).results
        beside = {
            name: {"median": result.median_ms} for name, result in zip(ours, timed[len(args.files) :], strict=True)
        }
    return [
        {
            **line,
            "latency_ms": {"median": result.median_ms, "p90": result.p90_ms},
            "runs": result.runs,
            "beside": beside,
        }
        for line, result in zip(found, timed, strict=False)
    ]


if __name__ == "__main__":
    sys.exit(main())
