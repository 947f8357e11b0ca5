"""Accuracy of the files against their size and against their latency."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from distiller.report import canvas, labels, measure
from distiller.report.canvas import INK, TEXT, Look, Picture
from distiller.report.content import Report
from distiller.report.table import Row


def by_size(report: Report, converted: Sequence[Row], look: Mapping[str, Look], path: Path) -> Picture:
    """Test accuracy against the size of the file, on a logarithmic axis."""
    models = list({(row.model, row.form): row for row in converted}.values())
    figure, axes = _empty_cloud("Accuracy against file size", "", models, look)
    axes.set_xscale("log")
    sizes = [row.bytes for row in models]
    middle = math.sqrt(min(sizes) * max(sizes))
    reach = max(1.6, 1.25 * math.sqrt(max(sizes) / min(sizes)))
    low, high = middle / reach, middle * reach
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(_round_sizes(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: re.sub(r"\.0+(?= )|(?<=\.\d)0(?= )", "", measure.size(value)))
    )
    axes.set_xlabel("file size (logarithmic)", size=TEXT)
    _cloud(report, axes, models, lambda row: row.bytes, look)
    spoken = "; ".join(
        f"{row.title} {row.form} {measure.size(row.bytes)} {measure.percent(row.accuracy)} %" for row in models
    )
    return canvas.save(
        figure,
        path,
        title="Accuracy against size",
        caption=f"Up and to the left is better. {canvas.where_the_teacher_is(report, models)}",
        alt=f"Scatter chart of {report.data.measured_on} accuracy against file size: {spoken}.",
    )


def by_latency(report: Report, measured: Sequence[Row], look: Mapping[str, Look], path: Path, place: str) -> Picture:
    """Test accuracy against the median latency for one image in one setting."""
    figure, axes = _empty_cloud("Accuracy against latency", f"{place}; ", measured, look)
    highest = max(row.latency_ms.mean for row in measured if row.latency_ms)
    axes.set_xlim(0, 1.18 * highest or 1)
    axes.set_xlabel("median latency for one image (ms)", size=TEXT)
    _cloud(report, axes, measured, lambda row: row.latency_ms.mean if row.latency_ms else math.nan, look)
    spoken = "; ".join(
        f"{row.title} {row.form} {measure.milliseconds(row.latency_ms)} ms {measure.percent(row.accuracy)} %"
        for row in measured
        if row.latency_ms
    )
    return canvas.save(
        figure,
        path,
        title="Accuracy against latency",
        caption=f"Median for one image, {place}. Up and to the left is better. "
        f"{canvas.where_the_teacher_is(report, measured)}",
        alt=f"Scatter chart of {report.data.measured_on} accuracy against latency ({place}): {spoken}.",
    )


def _empty_cloud(title: str, where: str, models: Sequence[Row], look: Mapping[str, Look]) -> tuple[Figure, Axes]:
    """A figure high enough for its labels, with a key of the students."""
    several = any(row.accuracy.deviation is not None for row in models)
    return canvas.blank(
        title,
        where + ("mean over seeds ± one standard deviation" if several else "one seed"),
        height=canvas.HEIGHT + 0.12 * max(0, len(models) - 10),
        key={row.title: look[row.model] for row in models},
    )


def _cloud(
    report: Report, axes: Axes, models: Sequence[Row], x: Callable[[Row], float], look: Mapping[str, Look]
) -> None:
    """Points of students × schemes with their labels, and the teacher as a dashed line. The x limits are final."""
    teacher = canvas.teacher_of(report)
    axes.set_ylabel(f"{report.data.measured_on} accuracy (%)", size=TEXT)
    axes.set_ylim(canvas.span(models, teacher))
    for name in dict.fromkeys(row.model for row in models):
        of_name = [row for row in models if row.model == name]
        axes.plot(
            [x(row) for row in of_name],
            [100 * row.accuracy.mean for row in of_name],
            linestyle="",
            marker=look[name].marker,
            markersize=7,
            color=look[name].colour,
            zorder=3,
        )
        for row in of_name:
            axes.errorbar(
                x(row),
                100 * row.accuracy.mean,
                yerr=canvas.bar(row),
                color=look[name].colour,
                elinewidth=1.2,
                capsize=2.5,
                alpha=0.7,
                zorder=2,
            )
    line = None if teacher is None else _teacher(axes, teacher)
    labels.beside(
        axes,
        [labels.Label(x(row), 100 * row.accuracy.mean, row.form, look[row.model].ink) for row in models],
        avoid=_lines(axes, models, x, line),
    )


def _teacher(axes: Axes, teacher: float) -> float:
    """A dashed line with its name, or an arrow where it is off the axis; returns the height of the name."""
    low, high = axes.get_ylim()
    height = min(max(teacher, low), high)
    if height == teacher:
        axes.axhline(teacher, color=INK, linestyle=(0, (5, 3)), linewidth=1.3, zorder=1)
    arrow = " ↓" if teacher < low else " ↑" if teacher > high else ""
    axes.annotate(
        f"teacher {teacher:.2f}{arrow}",
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3 if arrow == " ↑" else 3),
        textcoords="offset points",
        ha="right",
        va="top" if arrow == " ↑" else "baseline",
        size=TEXT - 1,
        color=INK,
    )
    return height


def _lines(axes: Axes, models: Sequence[Row], x: Callable[[Row], float], teacher: float | None) -> list[labels.Box]:
    """Boxes that labels should avoid: error bars, the teacher's line and its name; in pixels."""
    axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    point = axes.transData.transform
    em = TEXT * canvas.DPI / 72
    room = axes.get_window_extent()
    boxes = []
    if teacher is not None:
        _, line = point((x(models[0]), teacher))
        boxes += [
            (room.x0, line - 0.2 * em, room.x1, line + 0.2 * em),
            (room.x1 - 8 * em, line - 0.2 * em, room.x1, line + 1.2 * em),
        ]
    for row in models:
        deviation = 100 * (row.accuracy.deviation or 0)
        middle = 100 * row.accuracy.mean
        (left, low), (_, high) = point((x(row), middle - deviation)), point((x(row), middle + deviation))
        boxes.append((left - 0.2 * em, low, left + 0.2 * em, high))
    return boxes


def _round_sizes(low: float, high: float) -> list[float]:
    """Few round numbers between two sizes that are a factor of 2.5 or more apart."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    ticks: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) >= 3:
            break
    return ticks
