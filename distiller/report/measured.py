"""Benchmarks that were added to a run: kept as JSON in its folder, and shown on its page."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distiller.errors import InputError

if TYPE_CHECKING:
    from distiller.report.canvas import Picture
    from tflite import BenchmarkResult, Benchmarks

FOLDER = "latencies"
HEAD = ("File, setting", "Median (ms)", "Mean (ms)", "p90 (ms)", "First (ms)", "Memory (MiB)", "Runs", "Device")


def add(folder: Path, found: "Benchmarks") -> Path:
    """Keep benchmarks in a run's folder; the same ones are kept once. Returns their file.

    Raises:
        InputError: a folder without a run, or that cannot be written to.
    """
    from distiller.report import content

    content.read(folder)
    text = found.to_json()
    path = Path(folder) / FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    scratch = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, path)
    except OSError as error:
        raise InputError(f"The benchmarks cannot be written to {str(path.parent)!r}: {error.strerror}") from None
    return path


def read(folder: Path) -> "list[BenchmarkResult]":
    """Every result that was added to a run, in the order in which they were.

    Raises:
        InputError: a file that holds something else.
    """
    import tflite

    paths = sorted((Path(folder) / FOLDER).glob("*.json"), key=lambda path: (path.stat().st_mtime, path.name))
    results: list[BenchmarkResult] = []
    for path in paths:
        try:
            results += tflite.Benchmarks.from_json(path.read_text(encoding="utf-8")).results
        except (OSError, UnicodeDecodeError, tflite.ModelError) as error:
            raise InputError(f"The benchmarks in {str(path)!r} cannot be read: {error}. Remove the file") from None
    return results


def pictures(results: "Sequence[BenchmarkResult]", folder: Path) -> "list[Picture]":
    """Write `latency.png`, and one figure of operators for each result that has them."""
    from distiller.report import latencies, operators
    from tflite.benchmark.benchmarks import label

    folder.mkdir(parents=True, exist_ok=True)
    drawn = [latencies.draw(results, folder / "latency.png")]
    for i, result in enumerate(results):
        name = label(results, i)
        file = folder / f"operators-{re.sub(r'[^a-zA-Z0-9]+', '-', name).strip('-')}.png"
        drawn.append(operators.draw(result.operators or (), file, of=f"{name} on {result.device}"))
    return [picture for picture in drawn if picture is not None]


def rows(results: "Sequence[BenchmarkResult]") -> list[tuple[str, ...]]:
    """The cells of each result, under `HEAD`; empty where the tool did not say."""
    from tflite.benchmark.benchmarks import label

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}"

    return [
        (
            label(results, i),
            number(result.median_ms),
            number(result.mean_ms),
            number(result.p90_ms),
            number(result.first_ms),
            "" if result.peak_memory_bytes is None else f"{result.peak_memory_bytes / 2**20:.1f}",
            f"{result.runs:,}",
            result.device,
        )
        for i, result in enumerate(results)
    ]
