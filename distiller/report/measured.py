"""Benchmarks that were added to a run: kept as JSON in its folder, and shown on its page."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distiller.errors import InputError
from distiller.utils.atomic_files import write_whole

if TYPE_CHECKING:
    from distiller.report.canvas import Picture
    from distiller.report.tables import Table
    from tflite import BenchmarkResult, Benchmarks

FOLDER = "latencies"
_TIMES: "dict[str, Callable[[BenchmarkResult], float | None]]" = {
    "Median": lambda one: one.median_ms,
    "Mean": lambda one: one.mean_ms,
    "p90": lambda one: one.p90_ms,
    "p95": lambda one: one.p95_ms,
    "First": lambda one: one.first_ms,
}


@dataclass(frozen=True)
class Latencies:
    """A table, notes below it, and where the time goes, if that was measured."""

    table: "Table"
    notes: list[str]
    operators: "Table | None" = None


def add(folder: Path, found: "Benchmarks") -> Path:
    """Keep benchmarks in a run's folder; the same ones are kept once. Returns their file.

    Raises:
        InputError: a folder without a run, or that cannot be written to.
    """
    from distiller.report import content

    folder = content.folder_of(folder)
    content.read(folder)
    text = found.to_json()
    path = folder / FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, text.encode("utf-8", errors="backslashreplace"))  # names of files may be no text
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
    """Write `latency.png`, and `operators.png` where the time of operators was measured: all results in one figure."""
    from distiller.report import latencies, operators
    from tflite.benchmarking.benchmarks import label

    folder.mkdir(parents=True, exist_ok=True)
    profiled = [(label(results, i), one) for i, one in enumerate(results) if one.operators]
    drawn = [latencies.draw(results, folder / "latency.png")]
    if len(profiled) == 1:
        ((name, one),) = profiled
        drawn.append(operators.draw(one.operators or (), folder / "operators.png", of=f"{name} on {one.device}"))
    elif profiled:
        drawn.append(operators.compare({name: one.operators or () for name, one in profiled}, folder / "operators.png"))
    return [picture for picture in drawn if picture is not None]


def table(results: "Sequence[BenchmarkResult]") -> Latencies:
    """The cells of each result, and what its tool had to say; columns that are empty for all are left out.

    A second table has the time of each type of operator, where any result has it.
    """
    from distiller.report import operators
    from distiller.report.tables import Table
    from tflite.benchmarking.benchmarks import label

    names = [label(results, i) for i in range(len(results))]
    columns: list[tuple[str, bool, list[str]]] = [
        ("File, setting", False, names),
        ("Threads", True, ["" if one.threads is None else str(one.threads) for one in results]),
        ("Delegate", False, [one.delegate for one in results]),
        *((f"{name} (ms)", True, [_number(time(one)) for one in results]) for name, time in _TIMES.items()),
        ("Memory (MiB)", True, [_number(one.peak_memory_bytes and one.peak_memory_bytes / 2**20) for one in results]),
        ("Runs", True, [f"{one.runs:,}" for one in results]),
        ("Device", False, [one.device for one in results]),
    ]
    head, numbers, cells = zip(*(column for column in columns if any(column[2])), strict=True)
    notes = [f"{name}: {note}" for name, one in zip(names, results, strict=True) for note in one.notes]
    profiled = {name: one.operators for name, one in zip(names, results, strict=True) if one.operators}
    where = operators.table(profiled) if profiled else None
    return Latencies(Table.of(head, numbers, zip(*cells, strict=True)), notes, where)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
