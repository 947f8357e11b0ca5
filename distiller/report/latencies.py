"""Latency by file, number of threads and delegate."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from distiller.report import canvas
from distiller.report.canvas import FAINT, INK, TEXT, Picture
from tflite import BenchmarkResult
from tflite.benchmarking.benchmarks import label


def draw(results: Sequence[BenchmarkResult], path: Path) -> Picture | None:
    """A bar of the median of each result with its interval, and a mark at a high percentile; None without medians.

    The mark is at the 90th percentile, or at the 95th where the tool tells no other.
    Bars start at zero: twice as long is twice as slow. Files have colours of their own.
    """
    rows = [(label(results, i), result) for i, result in enumerate(results) if result.median_ms is not None]
    if not rows:
        return None
    looks = canvas.looks(list(dict.fromkeys(str(result.path) for _, result in rows)))
    devices = ", ".join(dict.fromkeys(result.device for _, result in rows))
    marks = _marks([result for _, result in rows])
    subtitle = f"{devices}; median with its interval" + (f", and a mark at {marks}" if marks else "")
    figure, axes = canvas.blank("Latency of one run", subtitle, height=1.7 + 0.34 * len(rows))
    longest = max(result.median_ms or 0.0 for _, result in rows)
    # A machine that is interrupted has a long tail, which must not make all bars short.
    end = min(2.5 * longest, max(longest, *(_tail(result) or 0.0 for _, result in rows)))
    for place, (_, result) in enumerate(rows):
        median = result.median_ms or 0.0
        axes.barh(place, median, 0.62, color=looks[str(result.path)].colour, zorder=2)
        if result.median_interval_ms:
            low, high = result.median_interval_ms
            error = ([max(0.0, median - low)], [max(0.0, high - median)])
            axes.errorbar(median, place, xerr=error, color=INK, elinewidth=1.6, capsize=3.5, zorder=3)
        tail = _tail(result)
        if tail is not None and tail <= end:
            axes.plot([tail] * 2, [place - 0.31, place + 0.31], color=INK, linewidth=1.2, alpha=0.55, zorder=3)
        elif tail is not None:
            text = f"{milliseconds(tail)} →"
            axes.text(1.04 * end, place, text, ha="right", va="center", size=TEXT - 2, color=FAINT, zorder=3)
        axes.annotate(
            milliseconds(median),
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=TEXT - 1,
            color=INK,
            annotation_clip=False,
        )
    names = [canvas.shortened(name) for name, _ in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1.05 * end or 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("milliseconds", size=TEXT)
    spoken = "; ".join(f"{name} {milliseconds(result.median_ms or 0.0)} ms" for name, result in rows)
    return canvas.save(
        figure,
        path,
        title="Latency",
        caption=f"Median time of one run on {devices}." + (f" The thin mark is {marks}." if marks else ""),
        alt=f"Bar chart of median latency: {spoken}.",
    )


def _tail(result: BenchmarkResult) -> float | None:
    return result.p95_ms if result.p90_ms is None else result.p90_ms


def _marks(results: Sequence[BenchmarkResult]) -> str:
    """Caption of the percentile marks; empty where there are none."""
    ninety = any(result.p90_ms is not None for result in results)
    others = any(result.p90_ms is None and result.p95_ms is not None for result in results)
    words = ["the 90th percentile"] * ninety + ["the 95th"] * others
    return ", or ".join(words) + " percentile" * (words == ["the 95th"])


def milliseconds(value: float) -> str:
    """Milliseconds to three digits, without the unit.

    >>> [milliseconds(value) for value in (0.0801, 1.234, 12.34, 123.4, 0.0)]
    ['0.0801', '1.23', '12.3', '123', '0']
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
