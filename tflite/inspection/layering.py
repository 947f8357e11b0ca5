"""Layered layout of a graph with as few crossings of edges as possible.

After Sugiyama, Tagawa and Toda 1981: rows by the longest path, a bend where an edge passes a row, an order of each row
by the mean place of neighbours, and then places that are near to theirs. All that is read from one box runs in one line
until it parts.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SWEEPS = 12
BEND, GAP = 0.2, 0.4  # widths, as those of boxes

Point = tuple[float, int]


@dataclass(frozen=True)
class Layout:
    """Positions: x is in the unit of the widths, a row is a whole number from 0.

    `places` has the middle of each box and its row. `routes` has for each pair of boxes that an edge joins the points
    from the first to the second, one a row.
    """

    places: list[Point]
    routes: dict[tuple[int, int], list[Point]]
    width: float
    rows: int


class _Nodes:
    """Boxes and bends: their rows, widths and neighbours."""

    def __init__(self, sources: Sequence[Sequence[int]], width: float):
        self.count = len(sources)
        self.row = _rows(sources)
        self.width = [width] * self.count
        self.parents: list[list[int]] = [[] for _ in sources]
        self.children: list[list[int]] = [[] for _ in sources]
        self.routes: dict[tuple[int, int], list[int]] = {}
        bends: dict[tuple[int, int], int] = {}
        for target in sorted(range(self.count), key=lambda box: self.row[box]):
            for source in dict.fromkeys(sources[target]):
                route = [source]
                for row in range(self.row[source] + 1, self.row[target]):
                    if (source, row) not in bends:
                        bends[source, row] = self._bend(row)
                        self._join(route[-1], bends[source, row])
                    route.append(bends[source, row])
                self._join(route[-1], target)
                self.routes[source, target] = [*route, target]

    def _bend(self, row: int) -> int:
        self.row.append(row)
        self.width.append(BEND)
        self.parents.append([])
        self.children.append([])
        return len(self.row) - 1

    def _join(self, source: int, target: int) -> None:
        self.children[source].append(target)
        self.parents[target].append(source)


def layout(sources: Sequence[Sequence[int]], width: float) -> Layout:
    """Places for boxes of that width; `sources[i]` are the boxes that box `i` reads from, all of them before it."""
    if not sources:
        return Layout([], {}, width, 0)
    nodes = _Nodes(sources, width)
    order = _ordered(nodes)
    x = _placed(nodes, order)
    low = min(at - nodes.width[node] / 2 for node, at in enumerate(x))
    points = [(at - low, nodes.row[node]) for node, at in enumerate(x)]
    return Layout(
        points[: nodes.count],
        {ends: [points[node] for node in route] for ends, route in nodes.routes.items()},
        max(at + nodes.width[node] / 2 for node, at in enumerate(x)) - low,
        1 + max(nodes.row),
    )


def crossings(upper: Sequence[int], lower: Sequence[int], children: Sequence[Sequence[int]]) -> int:
    """Number of crossings of the edges between two rows, given the order of both.

    >>> crossings([0, 1], [2, 3], [[3], [2], [], []]), crossings([0, 1], [2, 3], [[2], [2, 3], [], []])
    (1, 0)
    """
    place = {node: i for i, node in enumerate(lower)}
    ends = [place[child] for node in upper for child in sorted(children[node], key=place.__getitem__)]
    starts = [i for i, node in enumerate(upper) for _ in children[node]]
    lower_ends, upper_ends = np.array(ends), np.array(starts)
    crossed = (lower_ends[:, None] > lower_ends[None, :]) & (upper_ends[:, None] < upper_ends[None, :])
    return int(crossed.sum())


def _rows(sources: Sequence[Sequence[int]]) -> list[int]:
    """The row of each box: below all that it reads from; one that reads nothing stands right above its first reader."""
    rows: list[int] = []
    for own in sources:
        rows.append(1 + max((rows[source] for source in own), default=-1))
    for box in (box for box, own in enumerate(sources) if not own):
        readers = [rows[other] for other, read in enumerate(sources) if box in read]
        rows[box] = min(readers, default=1) - 1
    return rows


def _ordered(nodes: _Nodes) -> list[list[int]]:
    """The nodes of each row from left to right: of several sweeps the order with the fewest crossings."""
    order: list[list[int]] = [[] for _ in range(1 + max(nodes.row))]
    seen: set[int] = set()

    def visit(start: int) -> None:  # what hangs together comes together
        stack = [start]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                order[nodes.row[node]].append(node)
                stack.extend(reversed(nodes.children[node]))

    for node in range(nodes.count):
        if not nodes.parents[node]:
            visit(node)
    best, fewest = [list(row) for row in order], _all_crossings(nodes, order)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = nodes.parents if down else nodes.children
        place = {node: i for row in order for i, node in enumerate(row)}
        for row in order[1:] if down else reversed(order[:-1]):
            mean = {
                node: float(np.mean([place[other] for other in neighbours[node]])) if neighbours[node] else place[node]
                for node in row
            }
            row.sort(key=mean.__getitem__)
            place.update({node: i for i, node in enumerate(row)})
        found = _all_crossings(nodes, order)
        if found < fewest:
            best, fewest = [list(row) for row in order], found
        if not fewest:
            break
    return best


def _all_crossings(nodes: _Nodes, order: Sequence[Sequence[int]]) -> int:
    return sum(crossings(upper, lower, nodes.children) for upper, lower in itertools.pairwise(order))


def _placed(nodes: _Nodes, order: Sequence[Sequence[int]]) -> list[float]:
    """The middle of each node: near to its neighbours' mean, in the order of its row and apart from the next."""
    from sklearn.isotonic import isotonic_regression

    x = np.zeros(len(nodes.row))
    apart = {}
    for row in order:
        steps = [(nodes.width[one] + nodes.width[other]) / 2 + GAP for one, other in itertools.pairwise(row)]
        apart[id(row)] = np.concatenate([[0.0], np.cumsum(steps)])
        x[row] = apart[id(row)]
    # Bends pull harder: a long edge is straight before a box is centred.
    weights = np.array([1.0] * nodes.count + [4.0] * (len(nodes.row) - nodes.count))
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        neighbours = nodes.parents if down else nodes.children
        for row in order if down else reversed(order):
            wanted = [float(np.mean(x[_pulling(nodes, node, neighbours[node])])) for node in row]
            x[row] = isotonic_regression(np.array(wanted) - apart[id(row)], sample_weight=weights[row]) + apart[id(row)]
    return [float(at) for at in x]


def _pulling(nodes: _Nodes, node: int, neighbours: list[int]) -> list[int]:
    """The neighbours that a node goes after, or itself: those of its kind first.

    Else a chain of boxes beside a long edge and that edge would push each other away, row after row.
    """
    alike = [other for other in neighbours if (other < nodes.count) == (node < nodes.count)]
    return alike or neighbours or [node]
