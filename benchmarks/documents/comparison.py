"""Comparison of an arm with hard labels: gain, interval and wall time."""

from collections.abc import Mapping, Sequence
from typing import Any

from distiller.report.intervals import in_points, signed, welch
from distiller.report.table import label

BASELINE = "hard_labels"

Lines = Sequence[Mapping[str, Any]]
Arms = Mapping[str, Lines]


def accuracies(found: Lines) -> list[float]:
    """Accuracies on the test split, one per seed."""
    return [line["test_accuracy"] for line in found]


def interval(found: Lines, alone: Lines) -> tuple[float, float] | None:
    """The 95 % interval of the difference on the test split; None with one seed."""
    return welch(accuracies(found), accuracies(alone))


def gain_with_interval(found: Sequence[float], base: Sequence[float]) -> str:
    """Difference of means in points with its 95 % interval, where there are several seeds.

    >>> gain_with_interval([0.93, 0.95], [0.90, 0.92]), gain_with_interval([0.93], [0.90])
    ('+3.00 (−3.08 to +9.08)', '+3.00')
    """
    difference = sum(found) / len(found) - sum(base) / len(base)
    bounds = welch(found, base)
    return signed(difference) + (f" ({in_points(bounds)})" if bounds else "")


def interval_in_words(found: Lines, alone: Lines) -> str:
    """The interval as a sentence has it, with a comma after; nothing with one seed."""
    bounds = interval(found, alone)
    return f"95 % interval {in_points(bounds)}; " if bounds else ""


def standings(arms: Arms) -> str:
    """Arms that are ahead of hard labels, behind them, or not told apart from them; empty without intervals."""
    groups: dict[str, list[str]] = {"ahead of hard labels": [], "behind them": [], "not told apart from them": []}
    for arm, found in arms.items():
        bounds = interval(found, arms[BASELINE]) if arm != BASELINE else None
        if bounds:
            place = "ahead of hard labels" if bounds[0] > 0 else "behind them" if bounds[1] < 0 else None
            groups[place or "not told apart from them"].append(label(arm))
    said = "; ".join(f"{words}: {', '.join(names)}" for words, names in groups.items() if names)
    return f" By the interval {said}." if said else ""


def wall_time(arms: Arms) -> str:
    """Training time of the other arms as a multiple of that of hard labels, of seeds with one machine for both."""
    alone = {_place(line): line["seconds"] for line in arms[BASELINE] if "seconds" in line}
    ratios = []
    for arm, found in arms.items():
        pairs = [
            (line["seconds"], alone[key]) for line in found if "seconds" in line and (key := _place(line)) in alone
        ]
        if arm != BASELINE and pairs:
            ratios.append(sum(own for own, _ in pairs) / sum(base for _, base in pairs))
    if not ratios:
        return ""
    low, high = (f"{bound:.1f}" for bound in (min(ratios), max(ratios)))
    return f" Wall time: {low if low == high else f'{low} to {high}'} times that of hard labels."


def _place(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """Seed, machine, and number of processes, where the line has them."""
    return line.get("seed"), str(line.get("machine")), line.get("processes")
