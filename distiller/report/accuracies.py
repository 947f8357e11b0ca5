"""Accuracy of every model: a point with its deviation, in a row of its own."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from distiller.report import canvas, measure
from distiller.report.canvas import INK, TEXT, Look, Picture
from distiller.report.content import Report
from distiller.report.table import Row, files_of, rows, student_names


def draw(report: Report, look: Mapping[str, Look], path: Path) -> Picture:
    """Test accuracy of every model as a point with its deviation, seeds as small points below.

    Points, not bars: a bar must start at zero to be honest, and then these differences cannot be seen.
    """
    models = list({(row.model, row.form): row for row in rows(report) if not row.is_teacher}.values())
    models.sort(key=lambda row: student_names(report).index(row.model))
    several = any(row.accuracy.deviation is not None for row in models)
    subtitle = (
        "mean ± standard deviation over seeds, each seed below" if several else "one seed"
    ) + f"; {report.data.measured}"
    figure, axes = canvas.blank(
        f"{report.data.measured_on.capitalize()} accuracy of every model",
        subtitle,
        height=1.55 + 0.29 * (len(models) + 1),
    )
    teacher = canvas.teacher_of(report)
    for place, row in enumerate(models):
        style = look[row.model]
        values = [100 * value for value in _values(report, row)]
        if len(values) > 1:
            axes.plot(
                values,
                [place + 0.27] * len(values),
                linestyle="",
                marker="o",
                markersize=3.5,
                alpha=0.6,
                color=style.colour,
                markeredgewidth=0,
                zorder=2,
            )
        axes.errorbar(
            100 * row.accuracy.mean,
            place,
            xerr=canvas.bar(row),
            color=style.colour,
            marker=style.marker,
            markersize=7,
            elinewidth=1.8,
            capsize=3.5,
            zorder=3,
        )
        axes.annotate(
            measure.percent(row.accuracy),
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=TEXT - 1,
            color=style.ink,
            annotation_clip=False,
        )
    axes.set_yticks(
        range(len(models)), [f"{canvas.shortened(row.title, 26)} · {row.form}" for row in models], parse_math=False
    )
    for tick, row in zip(axes.get_yticklabels(), models, strict=True):
        tick.set_color(look[row.model].ink)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    low, high = canvas.span(models, teacher)
    seeds = [100 * value for row in models for value in _values(report, row)]
    pad = 0.05 * (high - low)
    axes.set_xlim(min(low, min(seeds) - pad), max(high, max(seeds) + pad))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel("accuracy (%)", size=TEXT)
    if teacher is not None:
        _teacher(axes, teacher)
    spoken = "; ".join(f"{row.title} {row.form} {measure.percent(row.accuracy)} %" for row in models)
    return canvas.save(
        figure,
        path,
        title="Accuracy",
        caption=f"Accuracy on the {report.data.measured_on} images, float and converted. "
        f"{canvas.where_the_teacher_is(report, models)} The axis does not start at zero.",
        alt=f"Dot chart of {report.data.measured_on} accuracy: {spoken}"
        f"{'' if teacher is None else f'; teacher {teacher:.2f} %'}.",
    )


def _teacher(axes: Axes, teacher: float) -> None:
    """A dashed line with its name above, or an arrow where it is off the axis."""
    low, high = axes.get_xlim()
    if low <= teacher <= high:
        axes.axvline(teacher, color=INK, linestyle=(0, (5, 3)), linewidth=1.3, zorder=1)
        text, side = f"teacher {teacher:.2f}", "center"
    elif teacher < low:
        text, side = f"← teacher {teacher:.2f}", "left"
    else:
        text, side = f"teacher {teacher:.2f} →", "right"
    axes.annotate(
        text,
        (min(max(teacher, low), high), 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=side,
        va="bottom",
        size=TEXT - 1,
        color=INK,
        annotation_clip=False,
    )


def _values(report: Report, row: Row) -> list[float]:
    """The accuracies that a row is the mean of."""
    if not row.has_file:
        return [s.accuracy for s in report.students if s.name == row.model]
    return [t.accuracy for t in files_of(report, row.model, row.form)]
