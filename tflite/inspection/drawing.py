"""The graph of a TFLite file as a picture."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError
from tflite.files import check_writable, write_whole
from tflite.operators import Operator

if TYPE_CHECKING:
    from tflite.inspect import Inspection

FORMATS = (".svg", ".png", ".pdf")
# In inches.
_WIDTH, _HEIGHT, _ACROSS, _DOWN = 2.6, 0.5, 3.4, 0.8
_DOTS_PER_INCH, _MOST_DOTS = 110, 30_000
_DELEGATED, _FALLBACK, _PORT = "#d3f9d8", "#ffd8a8", "#e9ecef"


@dataclass(frozen=True)
class _Box:
    """A rectangle with its lines of text; `row` counts down, `column` to the right."""

    row: int
    column: int
    text: str
    color: str


def draw(inspection: "Inspection", path: str | Path) -> Path:
    """Draw the operators and what flows between them; green for those that XNNPACK takes, orange for the others.

    Args:
        inspection: what `tflite.inspect` returned.
        path: an `.svg`, `.png` or `.pdf` file to write. The same file gives the same picture.

    Raises:
        ModelError: another suffix, or a path that is not writable.
    """
    path = check_writable(path)
    if path.suffix not in FORMATS:
        raise ModelError(f"Expected a path that ends in one of {list(FORMATS)}. Received: {str(path)!r}")
    boxes, edges = _layout(inspection)
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "tflite", "svg.fonttype": "none", "font.size": 8}):
        figure = _figure(boxes, edges)
        buffer = io.BytesIO()
        dots = min(_DOTS_PER_INCH, _MOST_DOTS / figure.get_figheight())
        undated = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}[path.suffix]
        figure.savefig(buffer, format=path.suffix[1:], dpi=dots, metadata=undated)
    write_whole(path, buffer.getvalue())
    return path


def _layout(inspection: "Inspection") -> tuple[list[_Box], list[tuple[_Box, _Box]]]:
    """Boxes below those that they read from, and the pairs that an arrow joins."""
    taken: set[tuple[int, int]] = set()
    by_tensor: dict[int, _Box] = {}
    boxes: list[_Box] = []
    edges: list[tuple[_Box, _Box]] = []

    def place(sources: list[_Box], text: str, color: str) -> _Box:
        row = 1 + max((source.row for source in sources), default=-1)
        # Below its first source, or in the next free column to the right.
        column = min((source.column for source in sources), default=0)
        while (row, column) in taken:
            column += 1
        taken.add((row, column))
        box = _Box(row, column, text, color)
        boxes.append(box)
        edges.extend((source, box) for source in dict.fromkeys(sources))
        return box

    ports = {tensor.name: tensor for tensor in inspection.inputs}
    for operator, cost in zip(inspection.operators, inspection.costs, strict=True):
        for tensor in operator.inputs:
            if tensor.name in ports and not tensor.constant and tensor.index not in by_tensor:
                by_tensor[tensor.index] = place([], f"{tensor.name}\n{tensor.dtype} {list(tensor.shape)}", _PORT)
        sources = [by_tensor[tensor.index] for tensor in operator.inputs if tensor.index in by_tensor]
        if not sources and all(tensor.constant for tensor in operator.inputs):
            continue  # it unpacks a weight
        box = place(sources, _text(operator, cost.weight_bytes), _DELEGATED if cost.delegated else _FALLBACK)
        by_tensor.update({tensor.index: box for tensor in operator.outputs})
    return boxes, edges


def _text(operator: Operator, weight_bytes: int) -> str:
    fused = "" if operator.activation == "NONE" else f" + {operator.activation}"
    weights = f", {weight_bytes:,} B weights" if weight_bytes else ""
    made = f"{operator.outputs[0].dtype} {list(operator.outputs[0].shape)}" if operator.outputs else ""
    return f"{operator.index} {operator.name}{fused}\n{made}{weights}"


def _figure(boxes: list[_Box], edges: list[tuple[_Box, _Box]]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Curve

    columns = 1 + max((box.column for box in boxes), default=0)
    rows = 1 + max((box.row for box in boxes), default=0)
    width, height = columns * _ACROSS, rows * _DOWN
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    for box in boxes:
        x, y = _corner(box)
        axes.add_patch(
            FancyBboxPatch(
                (x, y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.06", fc=box.color, ec="#495057"
            )
        )
        axes.text(x + _WIDTH / 2, y + _HEIGHT / 2, box.text, ha="center", va="center", parse_math=False)
    for source, target in edges:
        points = _route(source, target)
        codes = [Curve.MOVETO] + [Curve.CURVE4 if len(points) == 4 else Curve.LINETO] * (len(points) - 1)
        axes.add_patch(
            FancyArrowPatch(path=Curve(points, codes), arrowstyle="-|>", mutation_scale=8, color="#495057", lw=0.8)
        )
    return figure


def _corner(box: _Box) -> tuple[float, float]:
    return box.column * _ACROSS + (_ACROSS - _WIDTH) / 2, box.row * _DOWN + (_DOWN - _HEIGHT) / 2


def _route(source: _Box, target: _Box) -> list[tuple[float, float]]:
    """The points of an arrow: two of a line, three of a corner or four of a curve round the boxes between."""
    (x, y), (to_x, to_y) = _corner(source), _corner(target)
    middle, to_middle = y + _HEIGHT / 2, to_y + _HEIGHT / 2
    below, above = (x + _WIDTH / 2, y + _HEIGHT), (to_x + _WIDTH / 2, to_y)
    if source.column < target.column:
        return [(x + _WIDTH, middle), (above[0], middle), above]
    if source.column > target.column:
        return [below, (below[0], to_middle), (to_x + _WIDTH, to_middle)]
    if target.row == source.row + 1:
        return [below, above]
    side, out = x + _WIDTH, x + _WIDTH + 0.45
    return [(side, middle), (out, middle), (out, to_middle), (side, to_middle)]
