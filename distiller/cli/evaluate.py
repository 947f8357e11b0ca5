"""`distiller evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distiller.cli import android as phones
from distiller.cli import arrays, images
from distiller.cli.options import DataDir, Json, TfliteFile, Threads
from distiller.utils.terminal import one_line, print

if TYPE_CHECKING:
    from tflite import Evaluation, OutputsEvaluation, TaskEvaluation

EPILOG = """[bold]Examples[/bold]

distiller evaluate student.tflite --data cifar10 --data-dir ~/tensorflow_datasets

distiller evaluate runs/demo/distilled-0-int8.tflite --data digits --classes 3,5,6,8,9

distiller evaluate student.tflite --data cifar100 --groups cifar100_coarse --split validation --held-out 0.05

distiller evaluate marks.tflite --data marks.npz --task multi_label --threshold 0.5

distiller evaluate masks.tflite --data scenes/ --task segmentation --json

distiller evaluate student.tflite --data cifar10 --android --tool android_aarch64_benchmark_model --count 200

distiller evaluate student.tflite --data cifar10 --android --delegate cpu --delegate gpu --delegate nnapi
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate", epilog=EPILOG)(evaluate)


def evaluate(
    file: TfliteFile,
    data: images.Data,
    data_dir: DataDir = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which images.")] = "test",
    classes: images.Classes = None,
    groups: images.Groups = None,
    held_out: images.HeldOut = images.HELD_OUT,
    size: images.Size = None,
    task: arrays.Task = None,
    threshold: arrays.Threshold = None,
    threads: Threads = 1,
    android: phones.Android = False,
    serial: phones.Serial = None,
    tool: phones.Tool = None,
    delegate: Annotated[
        list[phones.PhoneDelegate] | None,
        typer.Option(
            help="What runs the operators on the phone, with --android; again for more, side by side. cpu is xnnpack.",
            show_default="xnnpack",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many images at most; by default all, and 100 with --android.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Accuracy of a TFLite file, or metrics of its --task, through the interpreter, or on a phone with --android."""
    import tflite
    from distiller.utils.backend import load_backend

    tflite.check(file, use="run")
    load_backend()
    from distiller.errors import InputError
    from distiller.utils.progress import Reporter

    if not android and (serial or tool):
        raise InputError("Expected --serial and --tool with --android. Received them without")
    if not android and delegate:
        raise InputError("Expected --delegate with --android. Received it without")
    if arrays.wanted(task, threshold, data):
        if android:
            raise InputError("Expected --android with images of one class each. Received: --task too")
        samples = arrays.load(Path(data), split, count, task=task, model=file)
        of_one = task if not isinstance(samples[1], dict) else None
        with Reporter().task("evaluate", arrays.size(samples[1])) as bar:
            evaluated = tflite.evaluate(
                file,
                samples,
                task=of_one,
                threshold=threshold,
                threads=threads,
                progress=lambda done, _: bar.advance_to(done),
            )
        _print(evaluated, split, json)
        return
    dataset = images.load(data, data_dir, file, classes=classes, groups=groups, held_out=held_out, size=size)
    images.check_file(dataset, file)
    part = getattr(dataset, split)
    if count is None and android:
        count = 100
    if count is not None:
        part = part.some(count)
    if android:
        phones.evaluate(
            file,
            part.images,
            part.labels,
            serial=serial,
            tool=tool,
            delegates=phones.delegates(delegate or ["xnnpack"]),
            count=len(part),
            threads=threads,
            split=split,
            json=json,
        )
        return
    with Reporter().task("evaluate", len(part)) as bar:
        found = tflite.evaluate(
            file,
            (part.images, part.labels),
            task="classification",
            threads=threads,
            progress=lambda done, _: bar.advance_to(done),
        )
    if json:
        print(found.to_json())
    else:
        print(f"Accuracy {found.accuracy:.2%} on {found.samples:,} {split} images")


def _print(found: "Evaluation | TaskEvaluation | OutputsEvaluation", split: str, json: bool) -> None:
    """Print metrics, a line for each output."""
    if json:
        print(found.to_json())
        return
    outputs = found.outputs if hasattr(found, "outputs") else {"": found}
    for name, one in outputs.items():
        metrics = one.metrics if hasattr(one, "metrics") else {"accuracy": one.accuracy}
        told = ", ".join(f"{metric} {value:.4g}" for metric, value in metrics.items())
        limit = getattr(one, "threshold", None)
        above = "" if limit is None else f", a yes above {limit:g}"
        print(f"{f'{one_line(name)}: ' if name else ''}{told} on {one.samples:,} {split} samples{above}")
