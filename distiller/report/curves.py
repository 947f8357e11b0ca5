"""Learning curves: validation accuracy by epoch, over seeds."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from distiller.report import canvas, labels, measure
from distiller.report.canvas import FAINT, TEXT, Look, Picture
from distiller.report.content import Curve, Report
from distiller.report.measure import Measure
from distiller.report.table import label

LONG = 10  # epochs


def draw(report: Report, look: Mapping[str, Look], path: Path) -> Picture | None:
    """Validation accuracy by epoch: mean over seeds, and a band where there are several; None without numbers.

    A student that goes on from another begins where that one ended. Where all end together their names stand at the
    ends of the lines; else in a key, for a line from a name to an early end looks like a course itself.
    """
    courses = {}
    for name in dict.fromkeys(c.name for c in report.curves):
        if course := _course([_validation(c) for c in report.curves if c.name == name]):
            before = _before(report, name)
            courses[name] = {before + epoch: accuracy for epoch, accuracy in course.items()}
    if not courses:
        return None
    several = any(m.deviation is not None for course in courses.values() for m in course.values())
    subtitle = "mean over seeds; the band is ± one standard deviation" if several else "one seed"
    end_together = len({max(course) for course in courses.values()}) == 1
    key = None if end_together else {label(name): look[name] for name in courses}
    figure, axes = canvas.blank("Validation accuracy by epoch", subtitle, key=key)
    ends = []
    for name, course in courses.items():
        epochs = list(course)
        means = [100 * m.mean for m in course.values()]
        deviations = [100 * (m.deviation or 0) for m in course.values()]
        axes.plot(epochs, means, color=look[name].colour, linewidth=2, marker="o" if len(epochs) == 1 else None)
        if any(deviations):
            low = [max(0, m - d) for m, d in zip(means, deviations, strict=True)]
            high = [min(100, m + d) for m, d in zip(means, deviations, strict=True)]
            axes.fill_between(epochs, low, high, color=look[name].colour, alpha=0.22, linewidth=0)
        if not end_together:
            axes.plot(epochs[-1], means[-1], color=look[name].colour, marker=look[name].marker, markersize=7, zorder=3)
        if _before(report, name):
            axes.axvline(epochs[0] - 0.5, color=FAINT, linewidth=0.9, linestyle=(0, (1, 3)), zorder=1)
        ends.append(labels.Label(epochs[-1], means[-1], textwrap.fill(label(name), 14), look[name].ink))
    axes.set_xlabel("epoch", size=TEXT)
    axes.set_ylabel("accuracy (%)", size=TEXT)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.margins(x=0.02)
    if end_together:
        labels.at_ends(axes, ends)
    last = "; ".join(
        f"{label(name)} ends at {measure.percent(list(course.values())[-1])} %" for name, course in courses.items()
    )
    cut = any(min(course) > 1 + _before(report, name) for name, course in courses.items())
    said = " The first fifth of the epochs is left out." if cut else ""
    for name in courses:
        if before := _before(report, name):
            said += f" “{label(name)}” goes on from “{label(_start(report, name) or '')}” after epoch {before}."
    return canvas.save(
        figure,
        path,
        title="Learning curves",
        caption=f"Accuracy on the {report.data.validation:,} validation images, {subtitle}.{said}",
        alt=f"Line chart of validation accuracy by epoch: {last}.",
    )


def _start(report: Report, name: str) -> str | None:
    """The student that one goes on from."""
    return next((other.start for other in report.budget.others if other.student == name), None)


def _before(report: Report, name: str) -> int:
    """Epochs that a student had as another one, before its own."""
    seen, before = {name}, 0
    while (start := _start(report, name)) and start not in seen:
        before += max((e.epoch for curve in report.curves if curve.name == start for e in curve.epochs), default=0)
        seen.add(start)
        name = start
    return before


def _validation(curve: Curve) -> dict[int, float]:
    """Validation accuracy by epoch, of the epochs that have one."""
    return {e.epoch: e.val_accuracy for e in curve.epochs if e.val_accuracy is not None}


def _course(seeds: Sequence[dict[int, float]]) -> dict[int, Measure]:
    """Measures of the epochs that every seed has; of a long training the first fifth is left out.

    These epochs are alike and far below; with them in the picture the end cannot be told apart.
    """
    common = sorted(set.intersection(*(set(seed) for seed in seeds)))
    if len(common) >= LONG:
        common = common[len(common) // 5 :]
    return {epoch: Measure.of([seed[epoch] for seed in seeds]) for epoch in common}
