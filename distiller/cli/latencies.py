"""Tables of measured latencies, wherever they were measured."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distiller.cli.console import show as _print
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from rich.table import Table

    from tflite import BenchmarkResult, Benchmarks
    from tflite.android import PhoneEvaluation

_MOST = 12  # operators in a table


def show(results: "Sequence[BenchmarkResult]") -> None:
    """Print a table of results, where they were measured, and what is to be said of each."""
    from tflite.benchmarking.benchmarks import label

    # Tools of phones have other percentiles, and old ones a mean alone.
    mean = any(result.median_ms is None for result in results)
    tail = ("p90", "p99") if any(result.p90_ms is not None for result in results) else ("p95",)
    names = ["median", *["mean"] * mean, *tail, "first", "init"]
    taken = ["delegated"] if any(delegated(result) for result in results) else []
    table = _table("file, setting", "bytes", *(f"{name} ms" for name in names), *taken, "memory", "images/s", "runs")
    for i, result in enumerate(results):
        median = _number(result.median_ms)
        if result.median_ms and result.median_interval_ms:
            low, high = result.median_interval_ms
            median += f" ± {50 * (high - low) / result.median_ms:.1f} %"
        table.add_row(
            label(results, i),
            "" if result.bytes is None else f"{result.bytes:,}",
            median,
            *(_number(getattr(result, f"{name}_ms")) for name in names[1:]),
            *(delegated(result) for _ in taken),
            "" if result.peak_memory_bytes is None else f"{result.peak_memory_bytes / 2**20:.1f} MiB",
            _number(result.throughput),
            f"{result.runs:,}",
        )
    _print(table)
    for place in dict.fromkeys(_place(result) for result in results):
        print(place)
    for i, result in enumerate(results):
        for note in result.notes:
            print(f"{label(results, i)}: {note}")


def delegated(result: "BenchmarkResult | PhoneEvaluation") -> str:
    """The operators that ran in the delegate, of those of the file; empty where it is not known.

    >>> import types
    >>> delegated(types.SimpleNamespace(delegated_operators=56, file_operators=58))
    '56 of 58'
    """
    taken, of_all = result.delegated_operators, result.file_operators
    return "" if taken is None or of_all is None else f"{taken} of {of_all}"


def show_ratios(found: "Benchmarks") -> None:
    """Print how the results compare, and which of them cannot be told apart."""
    from tflite.benchmarking.benchmarks import label

    if not found.ratios:
        return
    table = _table("takes", "times as long as", "", "from", "to")
    for one in found.ratios:
        ends = ("", "") if one.low is None else (f"{one.low:.3f}", f"{one.high:.3f}")
        name, reference = (label(found.results, i) for i in (one.result, one.reference))
        table.add_row(name, f"{one.ratio:.3f}", reference, *ends)
    print()
    _print(table)
    sure = max((one.confidence or 0.0 for one in found.ratios), default=0.0)
    if sure:
        percent, rounds = math.floor(1000 * sure) / 10, found.ratios[0].rounds  # never more than is known
        print(f"The ends hold the true ratio with {percent:g}% confidence, from {rounds} rounds in turn")
    for note in found.notes:
        print(note)


def show_operators(results: "Sequence[BenchmarkResult]") -> None:
    """Print where the time of each result goes."""
    from distiller.report.operators import by_type
    from tflite.benchmarking.benchmarks import label

    for i, result in enumerate(results):
        if not result.operators:
            continue
        table = _table(f"operators of {label(results, i)}", "", "ms", "share", "")
        parts = by_type(result.operators)
        for part in parts[:_MOST]:
            where = "" if part.delegated or result.delegate == "none" else "not delegated"
            table.add_row(part.type, f"{part.count}×", _short(part.mean_ms), f"{part.share:.1%}", where)
        rest = parts[_MOST:]
        if rest:
            sums = (sum(part.mean_ms for part in rest), sum(part.share for part in rest))
            table.add_row("others", f"{sum(part.count for part in rest)}×", _short(sums[0]), f"{sums[1]:.1%}", "")
        print()
        _print(table)


def _place(result: "BenchmarkResult") -> str:
    threads = "" if result.threads is None else f"{result.threads} thread{'' if result.threads == 1 else 's'}, "
    return f"{threads}{result.delegate}, {result.device}, {result.tool}"


def _short(milliseconds: float) -> str:
    """The time of an operator, which the runtime tells in whole microseconds.

    >>> _short(0.0123), _short(0.0)
    ('0.0123', '< 0.001')
    """
    return f"{milliseconds:.4f}" if milliseconds else "< 0.001"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        words = column in ("", "takes", "file, setting") or column.startswith("operators")
        table.add_column(column, justify="left" if words else "right", overflow="fold")
    return table
