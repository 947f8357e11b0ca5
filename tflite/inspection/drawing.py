"""The graph of a TFLite file as a picture."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError
from tflite.inspection.layering import Layout, Point, layout
from tflite.model_file.files import check_writable, write_whole
from tflite.model_file.operators import Operator

if TYPE_CHECKING:
    from matplotlib.path import Path as Path_

    from tflite.inspection.inspector import Inspection

FORMATS = (".svg", ".png", ".pdf")
# In inches.
_WIDTH, _HEIGHT, _DOWN, _MARGIN, _HEAD = 2.6, 0.5, 0.85, 0.35, 1.0
_DOTS_PER_INCH, _MOST_DOTS = 110, 30_000
_LINE, _INK, _FAINT = "#495057", "#212529", "#5c636a"
# What a box is, its colour, and what the legend says of it.
_DELEGATED, _FALLBACK, _INPUT, _OUTPUT = "#d3f9d8", "#ffd8a8", "#e9ecef", "#d0ebff"
_LEGEND = {
    _INPUT: "input",
    _DELEGATED: "XNNPACK takes it",
    _FALLBACK: "the interpreter's own kernel",
    _OUTPUT: "output",
}


@dataclass(frozen=True)
class _Box:
    """A rectangle with its lines of text, and the boxes that it reads from, by their places."""

    sources: tuple[int, ...]
    text: str
    color: str


def draw(inspection: "Inspection", path: str | Path) -> Path:
    """Draw inputs, operators, outputs and what flows between them, with a title and a legend.

    Operators that XNNPACK takes are green, the others orange.

    Args:
        inspection: what `tflite.inspect` returned.
        path: an `.svg`, `.png` or `.pdf` file to write. The same file gives the same picture.

    Raises:
        ModelError: another suffix, or a path that is not writable.
    """
    path = check_writable(path)
    if path.suffix not in FORMATS:
        raise ModelError(f"Expected a path that ends in one of {list(FORMATS)}. Received: {str(path)!r}")
    boxes = _boxes(inspection)
    from matplotlib import rc_context

    title, below = _title(inspection)
    with rc_context({"svg.hashsalt": "tflite", "svg.fonttype": "none", "font.size": 8}):
        figure = _figure(boxes, title, below)
        buffer = io.BytesIO()
        dots = min(_DOTS_PER_INCH, _MOST_DOTS / max(figure.get_figheight(), figure.get_figwidth()))
        undated = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}[path.suffix]
        # A program that reads pictures aloud says the title.
        told = undated | {"Title": f"Graph of {title}: {below}"}
        figure.savefig(buffer, format=path.suffix[1:], dpi=dots, metadata=told)
    write_whole(path, buffer.getvalue())
    return path


def _title(inspection: "Inspection") -> tuple[str, str]:
    """The file's name, and what it holds in a line."""
    numbers = "computes with integers alone" if inspection.is_integer else "computes with floating-point numbers"
    return inspection.path.name, (
        f"{inspection.bytes:,} bytes, {inspection.parameters:,} parameters, "
        f"{inspection.multiply_adds:,} multiply-adds; {numbers}"
    )


def _boxes(inspection: "Inspection") -> list[_Box]:
    """Inputs, operators and outputs, each after those that it reads from."""
    by_tensor: dict[int, int] = {}
    boxes: list[_Box] = []
    ports = {tensor.name for tensor in inspection.inputs}
    for operator, cost in zip(inspection.operators, inspection.costs, strict=True):
        for tensor in operator.inputs:
            if tensor.name in ports and not tensor.constant and tensor.index not in by_tensor:
                by_tensor[tensor.index] = len(boxes)
                boxes.append(_Box((), f"{tensor.name}\n{tensor.dtype} {list(tensor.shape)}", _INPUT))
        sources = dict.fromkeys(by_tensor[tensor.index] for tensor in operator.inputs if tensor.index in by_tensor)
        if not sources and all(tensor.constant for tensor in operator.inputs):
            continue  # it unpacks a weight
        by_tensor.update({tensor.index: len(boxes) for tensor in operator.outputs})
        color = _DELEGATED if cost.delegated else _FALLBACK
        boxes.append(_Box(tuple(sources), _text(operator, cost.weight_bytes), color))
    produced = {
        tensor.name: by_tensor[tensor.index]
        for operator in inspection.operators
        for tensor in (*operator.inputs, *operator.outputs)
        if tensor.index in by_tensor
    }
    for port in inspection.outputs:
        source = (produced[port.name],) if port.name in produced else ()
        boxes.append(_Box(source, f"{port.name}\n{port.dtype} {list(port.shape)}", _OUTPUT))
    return boxes


def _text(operator: Operator, weight_bytes: int) -> str:
    fused = "" if operator.activation == "NONE" else f" + {operator.activation}"
    weights = f", {weight_bytes:,} B weights" if weight_bytes else ""
    made = f"{operator.outputs[0].dtype} {list(operator.outputs[0].shape)}" if operator.outputs else ""
    return f"{operator.index} {operator.name}{fused}\n{made}{weights}"


def _figure(boxes: list[_Box], title: str, below: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    placed = layout([box.sources for box in boxes], _WIDTH)
    width = max(placed.width + 2 * _MARGIN, 6.4)
    height = _HEAD + placed.rows * _DOWN + _MARGIN
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    left = (width - placed.width) / 2
    axes.text(_MARGIN, 0.25, _cut(title, width), size=11, weight="bold", color=_INK, va="center", parse_math=False)
    axes.text(_MARGIN, 0.47, below, color=_FAINT, va="center", parse_math=False)
    at = _MARGIN
    for color, words in _LEGEND.items():
        if any(box.color == color for box in boxes):
            axes.plot(at + 0.07, 0.74, marker="s", markersize=8, color=color, markeredgecolor=_LINE)
            axes.text(at + 0.2, 0.74, words, color=_INK, va="center")
            at += 0.45 + 0.072 * len(words)
    for (x, row), box in zip(placed.places, boxes, strict=True):
        corner = (left + x - _WIDTH / 2, _top(row))
        shape = "round,pad=0,rounding_size=0.06"
        axes.add_patch(FancyBboxPatch(corner, _WIDTH, _HEIGHT, boxstyle=shape, fc=box.color, ec=_LINE))
        axes.text(left + x, _top(row) + _HEIGHT / 2, box.text, ha="center", va="center", parse_math=False)
    for curve in curves(placed, left).values():
        axes.add_patch(FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=8, color=_LINE, lw=0.8))
    return figure


def _cut(text: str, width: float) -> str:
    """A title that fits: what is too long loses its middle."""
    most = int((width - 2 * _MARGIN) / 0.105)
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"


def _top(row: int) -> float:
    return _HEAD + row * _DOWN


def curves(placed: Layout, left: float) -> "dict[tuple[int, int], Path_]":
    """The line of each edge: from the bottom of a box past the rows between to the top of another.

    Where several leave a box, or reach it, they do so beside each other in the order in which they go on.
    """
    from matplotlib.path import Path as Curve

    leaves, reaches = _ports(placed, 0, 1), _ports(placed, -1, -2)
    found = {}
    for (source, target), route in placed.routes.items():
        start = (left + leaves[source][route[1]], _top(route[0][1]) + _HEIGHT)
        points, codes = [start], [Curve.MOVETO]
        for x, row in route[1:-1]:
            _bend(points, codes, (left + x, _top(row)))
            points.append((left + x, _top(row) + _HEIGHT))
            codes.append(Curve.LINETO)
        _bend(points, codes, (left + reaches[target][route[-2]], _top(route[-1][1])))
        found[source, target] = Curve(points, codes)
    return found


def _bend(points: list[tuple[float, float]], codes: list[Any], to: tuple[float, float]) -> None:
    """Go on to a point, upright at both ends."""
    from matplotlib.path import Path as Curve

    x, y = points[-1]
    if abs(x - to[0]) < 1e-6:
        points.append(to)
        codes.append(Curve.LINETO)
        return
    middle = (y + to[1]) / 2
    points += [(x, middle), (to[0], middle), to]
    codes += [Curve.CURVE4] * 3


def _ports(placed: Layout, end: int, next_to: int) -> dict[int, dict[Point, float]]:
    """Box → the neighbouring point of each of its edges → where along the box that edge is."""
    neighbours: dict[int, set[Point]] = {}
    for ends, route in placed.routes.items():
        neighbours.setdefault(ends[end], set()).add(route[next_to])
    found = {}
    for box, points in neighbours.items():
        apart = min(0.5, 0.8 * _WIDTH / len(points))
        middle = placed.places[box][0]
        found[box] = {point: middle + apart * (i - (len(points) - 1) / 2) for i, point in enumerate(sorted(points))}
    return found
