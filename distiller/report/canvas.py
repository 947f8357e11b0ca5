"""Style of every figure: size, colours, title; drawn without a screen and without matplotlib's global state."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from distiller.report.content import Report
from distiller.report.table import Row, teachers

WIDTH, HEIGHT, DPI = 6.0, 4.2, 200  # inches; a phone shows a figure 2.2 inches wide, so the text is large

# Okabe and Ito's palette, which colour-blind readers tell apart, without its yellow: too pale on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "^", "s", "D", "v", "P")
INK, FAINT, GRID = "#222222", "#5a5a5a", "#e3e3e3"
TITLE, TEXT = 12.5, 10.5  # points

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Style of one student in every figure: lines and points in `colour`, text in a darker `ink`."""

    colour: Colour
    ink: Colour
    marker: str


def shortened(name: str, most: int = 44) -> str:
    """A name that fits beside a bar: what is too long loses its middle, for ends tell files and settings apart.

    >>> shortened("experiment_a/distilled-0-int8.tflite, 2 threads", 36)
    'experiment_…0-int8.tflite, 2 threads'
    """
    start = most // 3
    return name if len(name) <= most else name[: start - 1] + "…" + name[start - most :]


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name, in this order; after six they repeat."""
    found = {}
    for i, name in enumerate(names):
        red, green, blue = to_rgb(PALETTE[i % len(PALETTE)])
        ink = (0.65 * red, 0.65 * green, 0.65 * blue)
        found[name] = Look((red, green, blue), ink, MARKERS[i % len(MARKERS)])
    return found


def blank(
    title: str, subtitle: str, *, height: float = HEIGHT, key: Mapping[str, Look] | None = None
) -> tuple[Figure, Axes]:
    """An empty figure of `height` inches with its title and a key of markers; the axes take the room below."""
    lines = textwrap.wrap(subtitle, 82)
    named = key or {}
    across = max(1, min(4, 72 // (max(map(len, named), default=0) + 6)))
    down = math.ceil(len(named) / across)
    height += 0.22 * max(0, down - 1)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    below = 0.36 + 0.2 * len(lines)  # inches from the top
    figure.text(0.02, 1 - 0.1 / height, title, size=TITLE, weight="bold", color=INK, va="top")
    figure.text(0.02, 1 - 0.36 / height, "\n".join(lines), size=TEXT - 1, color=FAINT, va="top", parse_math=False)
    if named:
        _key(figure, named, across, 1 - (below + 0.02) / height)
    strip = below + 0.06 + 0.22 * down
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0.01, 0.01, 0.98, 1 - strip / height - 0.01))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=TEXT, colors=INK, color=FAINT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _key(figure: Figure, named: Mapping[str, Look], across: int, top: float) -> None:
    """Legend of the markers, below the subtitle."""
    points = [
        Line2D([], [], linestyle="", marker=look.marker, color=look.colour, markersize=7) for look in named.values()
    ]
    legend = figure.legend(
        points,
        list(named),
        loc="upper left",
        bbox_to_anchor=(0.012, top),
        ncols=across,
        frameon=False,
        fontsize=TEXT,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.1,
        columnspacing=1.2,
        labelspacing=0.3,
    )
    # The axes keep below it already.
    legend.set_in_layout(False)
    for text, look in zip(legend.get_texts(), named.values(), strict=True):
        text.set_parse_math(False)
        text.set_color(look.ink)


@dataclass(frozen=True)
class Picture:
    """A PNG file with its size in pixels, and what it says to those who cannot see it."""

    file: Path
    width: int
    height: int
    title: str
    caption: str
    alt: str


def save(figure: Figure, path: Path, *, title: str, caption: str, alt: str) -> Picture:
    """Write a PNG file."""
    # matplotlib's own mark would make the bytes differ between its versions, and says nothing to a reader.
    figure.savefig(path, format="png", metadata={"Software": None})
    width, height = figure.canvas.get_width_height()
    return Picture(path, width, height, title, caption, alt)


def bar(row: Row) -> float | None:
    """Half the length of a row's error bar in percentage points; None without a deviation."""
    return None if row.accuracy.deviation is None else 100 * row.accuracy.deviation


def teacher_of(report: Report) -> float | None:
    """The teacher's accuracy in percent, if it answers in the students' classes and they have one in common."""
    known = list(teachers(report).values())
    return 100 * known[0] if len(known) == 1 else None


def span(models: Sequence[Row], teacher: float | None) -> tuple[float, float]:
    """Limits in percent around all error bars, at least one point wide, and around a teacher that is not far off."""
    values = [100 * row.accuracy.mean + sign * (bar(row) or 0) for row in models for sign in (-1, 1)]
    low, high = min(values), max(values)
    reach = max(5.0, 3 * (high - low))
    if teacher is not None and low - reach <= teacher <= high + reach:
        low, high = min(low, teacher), max(high, teacher)
    margin = max(0.12 * (high - low), (1 - (high - low)) / 2, 0.1)
    return low - margin, high + margin


def where_the_teacher_is(report: Report, models: Sequence[Row]) -> str:
    """The sentence of a caption about the teacher's line."""
    teacher = teacher_of(report)
    if teacher is None:
        return "Students have teachers of their own." if teachers(report) else "The teacher has other classes."
    low, high = span(models, teacher)
    if low <= teacher <= high:
        return "The dashed line is the teacher."
    return f"The teacher ({teacher:.2f} %) is {'below' if teacher < low else 'above'} what the axis shows."
