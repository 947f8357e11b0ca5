"""Labels beside points and at the ends of lines that do not run into one another.

Placed here rather than by adjustText: that moves texts in steps until they are apart or its steps are used up, and has
no stack at the ends of lines; a report draws the same picture each time, with the nearest free places.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from distiller.report.canvas import FAINT, TEXT, Colour

Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels


@dataclass(frozen=True)
class Label:
    """A text and the point (in data coordinates) that it names."""

    x: float
    y: float
    text: str
    ink: Colour


def at_ends(axes: Axes, labels: Sequence[Label], size: float = TEXT) -> None:
    """Write labels to the right of `axes`, each with a thin line to its point, moved apart where they would overlap."""
    pixels = _laid_out(axes)
    order = sorted(labels, key=lambda label: label.y)
    wanted = [axes.transData.transform((label.x, label.y))[1] for label in order]
    heights = [pixels * size * 1.25 * (label.text.count("\n") + 1) for label in order]
    ceiling = axes.get_window_extent().y1 + heights[-1] / 2
    for label, y in zip(order, below(ceiling, spread(wanted, heights), heights), strict=True):
        middle = axes.transAxes.inverted().transform((0, y))[1]
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(1.035, middle),
            textcoords="axes fraction",
            va="center",
            size=size,
            color=label.ink,
            weight="bold",
            annotation_clip=False,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": label.ink,
                "linewidth": 0.8,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 2,
            },
        )


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Middles of stacked boxes of these heights, in this order, as near to `wanted` (ascending) as they can be.

    >>> spread([1.0, 1.2, 9.0], [2.0, 2.0, 2.0])
    [0.1, 2.1, 9.0]
    """
    groups: list[tuple[list[int], float]] = []  # boxes that touch, and the bottom of the lowest
    for i in range(len(wanted)):
        members, bottom = [i], wanted[i] - heights[i] / 2
        while groups and groups[-1][1] + sum(heights[j] for j in groups[-1][0]) > bottom:
            members = groups.pop()[0] + members
            bottom = _bottom(members, wanted, heights)
        groups.append((members, bottom))
    middles = []
    for members, bottom in groups:
        for i in members:
            middles.append(round(bottom + heights[i] / 2, 6))
            bottom += heights[i]
    return middles


def below(ceiling: float, middles: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The same stack pushed down as far as needed for its highest box to end at `ceiling`.

    >>> below(10.0, [4.0, 7.0, 10.0], [2.0, 2.0, 2.0])
    [4.0, 7.0, 9.0]
    """
    pushed: list[float] = []
    for middle, height in zip(reversed(middles), reversed(heights), strict=True):
        pushed.append(min(middle, ceiling - height / 2))
        ceiling = pushed[-1] - height / 2
    return pushed[::-1]


def beside(axes: Axes, labels: Sequence[Label], avoid: Sequence[Box], size: float = TEXT - 1) -> None:
    """Write each label near its point where it covers the least of points, labels and `avoid`.

    The limits of `axes` must be final. A label that had to go far gets a thin line to its point.
    """
    pixels = _laid_out(axes)
    room = axes.get_window_extent()
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    taken = [*avoid, *((x - 4 * pixels, y - 4 * pixels, x + 4 * pixels, y + 4 * pixels) for x, y in points)]
    for label, (x, y) in zip(labels, points, strict=True):
        text = axes.text(label.x, label.y, label.text, size=size, color=label.ink, parse_math=False)
        canvas = axes.get_figure(root=True).canvas  # type: ignore[union-attr]
        assert isinstance(canvas, FigureCanvasAgg)
        extent = text.get_window_extent(canvas.get_renderer())
        distance, box = _best(x, y, extent.width, extent.height, pixels, taken, room)
        taken.append(box)
        left, bottom = axes.transData.inverted().transform((box[0], box[1]))
        text.set(x=left, y=bottom, va="bottom", ha="left")
        if distance > 14 * pixels:
            ends = axes.transData.inverted().transform([(x, y), _nearest(x, y, box)])
            axes.plot(ends[:, 0], ends[:, 1], color=FAINT, linewidth=0.7, zorder=1.5)


def _best(
    x: float, y: float, width: float, height: float, pixels: float, taken: Sequence[Box], room: Bbox
) -> tuple[float, Box]:
    """The place that covers the least, and of those the nearest; to the right of the point before other sides."""
    best: tuple[float, float, Box] | None = None
    for radius in (8, 12, 18, 26, 36, 48, 62):
        for step in range(24):
            angle = 2 * math.pi * step / 24
            # The box touches the circle around the point with its nearest side or corner.
            cx = x + math.cos(angle) * (radius * pixels + width / 2)
            cy = y + math.sin(angle) * (radius * pixels + height / 2)
            box = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
            outside = width * height - _shared(box, (room.x0, room.y0, room.x1, room.y1))
            covered = sum(_shared(box, other) for other in taken) + 3 * outside
            cost = 10 * covered / (pixels * pixels) + radius + 0.1 * min(step, 24 - step)
            if best is None or cost < best[0]:
                best = (cost, radius * pixels, box)
    assert best is not None
    return best[1], best[2]


def _bottom(members: Sequence[int], wanted: Sequence[float], heights: Sequence[float]) -> float:
    """Bottom of a stack whose members are on average where they want to be."""
    offsets, height = [], 0.0
    for i in members:
        offsets.append(wanted[i] - height - heights[i] / 2)
        height += heights[i]
    return sum(offsets) / len(offsets)


def _shared(a: Box, b: Box) -> float:
    """Area that two boxes have in common."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _nearest(x: float, y: float, box: Box) -> tuple[float, float]:
    return min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])


def _laid_out(axes: Axes) -> float:
    """Lay the figure out, so that positions in pixels are final; returns the pixels of a point (1/72 inch)."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    return figure.dpi / 72
