"""Where the time of a run goes, operator by operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distiller.report import canvas
from distiller.report.canvas import INK, TEXT, Picture
from tflite import OperatorTime

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
