"""`distiller benchmark`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distiller.cli import android as phones
from distiller.cli import images, latencies
from distiller.cli.options import DataDir, Json, check_with, check_without
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from tflite import Benchmarks

EPILOG = """[bold]Examples[/bold]

distiller benchmark student.tflite

distiller benchmark student.tflite other.tflite --threads 1,2,4 --precision 0.01

distiller benchmark student.tflite --delegate both --profile --figures figures

distiller benchmark runs/demo/*.tflite --threads 1,2 --profile --report runs/demo

distiller benchmark student.tflite --data cifar10 --data-dir ~/tensorflow_datasets --json

distiller benchmark student.tflite --android --tool android_aarch64_benchmark_model --cores big --profile

distiller benchmark student.tflite --android --delegate cpu --delegate gpu --delegate nnapi

distiller benchmark --import benchmark.log

distiller benchmark --import litert.json --report runs/demo
"""

_IMAGES = 32
# Options that the native tool has no use for, and those that say how to measure.
_HERE = ("rounds", "precision", "confidence", "data", "data_dir", "size", "time_limit", "memory_limit")
_MEASURING = ("threads", "delegate", "runs", "warmup", "min_seconds", "max_seconds", "profile")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("benchmark", epilog=EPILOG)(benchmark)


def benchmark(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="TFLite files; several take turns.", show_default=False)
    ] = None,
    threads: Annotated[str, typer.Option(help="Threads of the interpreter, one number or several: 1,2,4.")] = "1",
    delegate: Annotated[
        list[phones.AnyDelegate] | None,
        typer.Option(
            help="What runs the operators; again for more, side by side. none: the interpreter's own; cpu is xnnpack, "
            "both are xnnpack and none. gpu and nnapi: with --android.",
            show_default="xnnpack",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Measured runs, at least.")] = 200,
    warmup: Annotated[int, typer.Option(min=0, help="Runs before that, not measured.")] = 20,
    min_seconds: Annotated[float, typer.Option(min=0, help="Measured time of each, at least.")] = 1.0,
    max_seconds: Annotated[float, typer.Option(min=0, help="Measured time of each, at most.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that the runs are spread over.")] = 10,
    precision: Annotated[
        float | None,
        typer.Option(help="Go on until medians are known to ± this fraction: 0.01.", show_default=False),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence of the intervals.")] = 0.95,
    data: Annotated[
        str | None, typer.Option(help="Run real images, as in `distiller evaluate`, and not random pixels.")
    ] = None,
    data_dir: DataDir = None,
    size: images.Size = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time goes, operator by operator.")] = False,
    figures: Annotated[Path | None, typer.Option(help="Folder for figures.", show_default=False)] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of a run, to show the results on its page too.", show_default=False)
    ] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds that a file may hang.")] = 60.0,
    memory_limit: Annotated[float, typer.Option(help="GiB that a file may need.")] = 4.0,
    android: phones.Android = False,
    serial: phones.Serial = None,
    tool: phones.Tool = None,
    imported: phones.Imported = None,
    cores: phones.Cores = None,
    json: Json = False,
) -> None:
    """Latency of TFLite files on this machine, each in a process of its own; or on a phone with --android.

    Several files, numbers of threads or delegates take turns; what can be said of their ratios is printed.
    """
    import tflite
    from distiller.errors import InputError
    from distiller.runs.folder import check_output

    if figures:
        check_output(figures)  # what is wrong is told before the work
    if report:
        from distiller.report import content

        report = content.folder_of(report)
        content.read(report)
    numbers = _numbers(threads)
    delegates = phones.delegates(delegate or ["xnnpack"])
    if not files and not imported:
        raise InputError("Expected TFLite files, or a file of benchmark_model with --import. Received: none")
    accelerators = [name for name in delegates if name in ("gpu", "nnapi")]
    if accelerators and not (android or tool or imported):
        raise InputError(f"Expected --android with --delegate {accelerators[0]}. Received it alone")
    if phones.wanted(android, serial, tool, imported, cores):
        check_without(context, "--android, --tool and --import", True, *_HERE)
        check_without(context, "--import", imported is not None, *_MEASURING)
        results, failures = phones.benchmark(
            files or [],
            android=android,
            serial=serial,
            tool=tool,
            imported=imported,
            threads=numbers,
            delegates=delegates,
            cores=cores,
            runs=runs,
            warmup_runs=warmup,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
            profile=profile,
        )
        _tell(tflite.Benchmarks(tuple(results), (), (), confidence, tuple(failures)), figures, report, json)
        return
    check_with(context, "--data", data is not None, "data_dir", "size")
    inputs = _images(data, data_dir, size, files[0]) if data and files else None
    from distiller.utils.progress import Reporter

    total = len(files or []) * len(numbers) * len(delegates) * min(rounds, runs)
    with Reporter().task("benchmark", total) as task:
        found = tflite.benchmark(
            files or [],
            threads=numbers,
            delegate=delegates,
            runs=runs,
            warmup_runs=warmup,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
            rounds=rounds,
            precision=precision,
            confidence=confidence,
            inputs=inputs,
            profile=profile,
            time_limit=time_limit,
            memory_limit=int(memory_limit * 2**30),
            progress=lambda done, _: task.advance_to(done),
        )
    _tell(found, figures, report, json)


def _tell(found: "Benchmarks", figures: Path | None, report: Path | None, json: bool) -> None:
    from distiller import report as pages
    from distiller.report import measured

    # What was measured is told first: what is written after it may fail.
    if json:
        print(found.to_json(), flush=True)
    else:
        latencies.show(found.results)
        latencies.show_ratios(found)
        if not found.ratios:
            for note in found.notes:
                print(note)
        phones.show_phones(found.results)
        latencies.show_operators(found.results)
    written = [f"Figure: {picture.file}" for picture in measured.pictures(found.results, figures)] if figures else []
    if report:
        measured.add(report, found)
        written.append(f"Report: {pages.write(report)}")
    if not json:
        for line in written:
            print(line)


def _numbers(text: str) -> list[int]:
    """Numbers of threads."""
    from distiller.errors import InputError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"Expected --threads as numbers with commas between: 1,2,4. Received: {text!r}") from error


def _images(data: str, data_dir: Path | None, size: int | None, file: Path) -> Any:
    """A few validation images."""
    import tflite
    from distiller.utils.backend import load_backend

    tflite.check(file, use="inspect")
    load_backend()
    return images.load(data, data_dir, file, size=size).validation.some(_IMAGES).images
