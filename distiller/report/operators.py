"""Time of a run by operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from distiller.report import canvas
from distiller.report.canvas import FAINT, INK, TEXT, Look, Picture
from distiller.report.slower import Spent, family
from distiller.report.tables import Table
from tflite import OperatorTime

FAMILIES = 6  # colours; what is left is grey
MOST = 14  # bars; what is left is one more


@dataclass(frozen=True)
class Part:
    """Operators of one type that ran in the same place: how many there are, and their time and share together."""

    type: str
    delegated: bool
    count: int
    mean_ms: float
    share: float


def by_type(operators: Sequence[OperatorTime]) -> list[Part]:
    """Operators summed by type and place, the longest first."""
    keys = list(dict.fromkeys((operator.type, operator.delegated) for operator in operators))
    groups = [[one for one in operators if (one.type, one.delegated) == key] for key in keys]
    parts = [
        Part(*key, len(group), sum(one.mean_ms for one in group), sum(one.share for one in group))
        for key, group in zip(keys, groups, strict=True)
    ]
    return sorted(parts, key=lambda part: -part.share)


def draw(operators: Sequence[OperatorTime], path: Path, *, of: str) -> Picture | None:
    """A bar of each type of operator with its share of the time; `of` names what ran. None without operators."""
    parts = by_type(operators)
    if not parts:
        return None
    rest = parts[MOST:]
    shown = parts[:MOST]
    names = [f"{part.count}× {part.type}" for part in shown]
    shares = [part.share for part in shown]
    delegated, fallback = looks = canvas.looks(["in the delegate", "the interpreter's own"]).values()
    colours = [delegated.colour if part.delegated else fallback.colour for part in shown]
    if rest:
        names.append(f"{sum(part.count for part in rest)} others")
        shares.append(sum(part.share for part in rest))
        colours.append((0.6, 0.6, 0.6))
    key = dict(zip(("in the delegate", "the interpreter's own"), looks, strict=True))
    total = sum(operator.mean_ms for operator in operators)
    subtitle = f"{of}; {len(operators)} operators, {total:.3g} ms together"
    figure, axes = canvas.blank("Time by operator", subtitle, height=1.8 + 0.3 * len(names), key=key)
    axes.barh(range(len(names)), [100 * share for share in shares], 0.66, color=colours, zorder=2)
    for place, share in enumerate(shares):
        axes.annotate(
            f"{100 * share:.1f}",
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=TEXT - 1,
            color=INK,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(names)), [canvas.shortened(name) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the time (%)", size=TEXT)
    spoken = "; ".join(f"{name} {100 * share:.1f} %" for name, share in zip(names, shares, strict=True))
    return canvas.save(
        figure,
        path,
        title="Time by operator",
        caption=f"Share of the time of all operators of {of}, summed by type.",
        alt=f"Bar chart of the share of the time by type of operator: {spoken}.",
    )


def compare(profiles: Mapping[str, Sequence[OperatorTime]], path: Path) -> Picture:
    """A bar of each profile, by its name, in parts by family of operators; all to one scale."""
    spent = {name: Spent.of(operators) for name, operators in profiles.items()}
    families = _families(spent)
    shown = [kind for kind in families[:FAMILIES] if any(one.by_family.get(kind) for one in spent.values())]
    rest = families[len(shown) :]
    looks = canvas.looks(shown)
    key = {_where(name, spent): Look(look.colour, look.ink, "s") for name, look in looks.items()}
    if rest:
        key[f"{len(rest)} other{'s' * (len(rest) > 1)}"] = Look((0.6, 0.6, 0.6), (0.35, 0.35, 0.35), "s")
    figure, axes = canvas.blank(
        "Time by operator", "milliseconds a run, by type of operator", height=1.9 + 0.34 * len(spent), key=key
    )
    for place, one in enumerate(spent.values()):
        left = 0.0
        parts = [(one.by_family.get(name, 0.0), looks[name].colour) for name in shown]
        parts.append((sum(one.by_family.get(name, 0.0) for name in rest), (0.6, 0.6, 0.6)))
        for width, colour in parts:
            axes.barh(place, width, 0.62, left=left, color=colour, edgecolor="white", linewidth=0.6, zorder=2)
            left += width
        axes.annotate(
            f"{left:.3g}",
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=TEXT - 1,
            color=INK,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(spent)), [canvas.shortened(name, 40) for name in spent], parse_math=False)
    axes.set_ylim(len(spent) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("milliseconds", size=TEXT, color=FAINT)
    spoken = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {one.by_family[kind]:.3g} ms" for kind in families if kind in one.by_family)
        for name, one in spent.items()
    )
    return canvas.save(
        figure,
        path,
        title="Time by operator",
        caption="Time of all operators of each file, by type; the number is their sum.",
        alt=f"Stacked bar chart of the time by type of operator: {spoken}.",
    )


def table(profiles: Mapping[str, Sequence[OperatorTime]]) -> Table:
    """A line a family of operators, the longest first, and a column a profile: milliseconds, and how many there are."""
    spent = {name: Spent.of(operators) for name, operators in profiles.items()}
    counts = {name: [family(one.type) for one in operators] for name, operators in profiles.items()}
    lines = [
        (kind, *(_cell(spent[name].by_family.get(kind), counts[name].count(kind)) for name in profiles))
        for kind in _families(spent)
    ]
    totals = [f"{sum(one.by_family.values()):.4f}" for one in spent.values()]
    lines = [(_where(kind, spent), *cells) for kind, *cells in lines]
    headings = ["Operator", *profiles]
    found = Table.of(headings, [False, *[True] * len(profiles)], [*lines, ("all", *totals)])
    return Table(found.headings, found.numbers, [*found.lines[:-1], (True, found.lines[-1][1])])


def _families(spent: Mapping[str, Spent]) -> list[str]:
    """Families of operators, those that take longest in all profiles together first."""
    names = dict.fromkeys(kind for one in spent.values() for kind in one.by_family)
    return sorted(names, key=lambda kind: -sum(one.by_family.get(kind, 0.0) for one in spent.values()))


def _where(kind: str, spent: Mapping[str, Spent]) -> str:
    """A family, and that the delegate left it where it did."""
    return f"{kind}, not delegated" if any(kind in one.left for one in spent.values()) else kind


def _cell(milliseconds: float | None, count: int) -> str:
    """Milliseconds and how many operators took them.

    >>> _cell(0.0123, 9), _cell(0.0, 1), _cell(None, 0)
    ('0.0123 (9×)', '< 0.001 (1×)', '')
    """
    if milliseconds is None:
        return ""
    return f"{f'{milliseconds:.4f}' if milliseconds else '< 0.001'} ({count}×)"
