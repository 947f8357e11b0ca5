"""Figures of the documents, made from the recorded results.

The metadata of a PNG file hold a digest of its numbers, so a check compares numbers and not pixels, which differ
between versions of matplotlib.
"""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import experiments
from benchmarks.documents.accuracy_and_size import accuracy_by_size, draw_by_size
from benchmarks.documents.comparison import BASELINE
from benchmarks.documents.grid import grid, validation
from benchmarks.results import lines
from distiller.report.measure import Measure
from distiller.report.table import label

FOLDER = Path(__file__).parent.parent / "figures"
_SOURCE = "Source"

Numbers = dict[str, Any]


def draw_stale(folder: Path = FOLDER) -> list[str]:
    """Draw every figure that is out of date; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    late = find_stale(folder)
    for name in late:
        numbers, draw = FIGURES[name]
        found = numbers()
        figure = draw(found)
        figure.savefig(_file(folder, name), metadata={"Software": None, _SOURCE: digest(found)})
    return late


def find_stale(folder: Path = FOLDER) -> list[str]:
    """Names of figures that are missing or were drawn from other numbers; those without results are left out."""
    wanted = {name: found for name, (numbers, _) in FIGURES.items() if (found := numbers())}
    return [name for name, found in wanted.items() if source(_file(folder, name)) != digest(found)]


def digest(numbers: Numbers) -> str:
    """Digest that identifies numbers."""
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:16]


def source(path: Path) -> str | None:
    """Digest of the numbers that a PNG file was drawn from."""
    from PIL import Image

    if not path.is_file():
        return None
    with Image.open(path) as image:
        return image.info.get(_SOURCE)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.png"


def accuracy_by_labels(name: str) -> Numbers:
    """Hard labels, the best arm that all variants have, and its "teacher" → [images with labels, accuracy, deviation].

    Accuracies are on the test split, in percent; the best arm is that of the validation split.
    """
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for line in recorded:
        found.setdefault(line["arm"], {}).setdefault(_label_count(line), []).append(line)
    if BASELINE not in found:
        return {}
    everywhere = {
        arm: [line for rows in counts.values() for line in rows]
        for arm, counts in found.items()
        if arm != BASELINE and counts.keys() >= found[BASELINE].keys()
    }
    best = max(everywhere, key=lambda arm: validation(everywhere[arm]).mean)
    numbers = {
        arm: [[n, *_percent([line["test_accuracy"] for line in rows])] for n, rows in sorted(found[arm].items())]
        for arm in (BASELINE, best)
    }
    numbers["teacher"] = [[n, 100 * lines.teacher_accuracy(rows), None] for n, rows in sorted(found[best].items())]
    return numbers


def _label_count(line: dict[str, Any]) -> int:
    """Images with labels in a line's variant."""
    fraction = experiments.read(line["experiment"]).recipe_of(line["variant"], tiny=False).labels.fraction
    return round((fraction or 1.0) * line["data"]["train"])


def _percent(values: list[float]) -> tuple[float, float | None]:
    found = Measure.of(values)
    return round(100 * found.mean, 4), None if found.deviation is None else round(100 * found.deviation, 4)


def draw_by_labels(numbers: Numbers) -> Any:
    """Test accuracy against the number of labels, with deviations."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from distiller.report import canvas

    looks = canvas.looks(list(numbers))
    seen = {label(arm): look for arm, look in looks.items()}
    figure, axes = canvas.blank("Few labels", "CIFAR-10, test accuracy of a ResNet-8; bars are deviations", key=seen)
    for arm, points in numbers.items():
        x, mean, deviation = zip(*points, strict=True)
        look = looks[arm]
        bars = [d or 0.0 for d in deviation]
        axes.errorbar(
            x, mean, bars, color=look.colour, marker=look.marker, capsize=4, linestyle="--" if arm == "teacher" else "-"
        )
    counts = sorted({point[0] for points in numbers.values() for point in points})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("images with a label (logarithmic)", size=canvas.TEXT)
    axes.set_ylabel("test accuracy (%)", size=canvas.TEXT)
    return figure


def accuracy_by_arm(name: str, variant: str) -> Numbers:
    """Arm → [test accuracy in percent, deviation] of one variant."""
    arms = lines.by_arm(lines.read(lines.RESULTS / f"{name}.jsonl"), variant)
    return {arm: list(_percent([line["test_accuracy"] for line in found])) for arm, found in arms.items()}


def draw_by_arm(title: str, numbers: Numbers) -> Any:
    """Test accuracy of every arm with its deviation, hard labels as a line."""
    from distiller.report import canvas

    figure, axes = canvas.blank(title, "test accuracy, bars are deviations over seeds; the line is hard labels")
    arms = sorted(numbers, key=lambda arm: numbers[arm][0])
    for place, arm in enumerate(arms):
        mean, deviation = numbers[arm]
        colour = canvas.PALETTE[1 if arm == BASELINE else 0]
        axes.errorbar(mean, place, xerr=deviation or 0.0, color=colour, marker="o", capsize=4)
    axes.axvline(numbers[BASELINE][0], color=canvas.PALETTE[1], linewidth=1)
    axes.set_yticks(range(len(arms)), [label(arm) for arm in arms])
    axes.set_xlabel("test accuracy (%)", size=canvas.TEXT)
    return figure


def accuracy_by_temperature(name: str) -> Numbers:
    """Weight of the soft targets → [temperature, validation accuracy in percent]."""
    found: Numbers = {}
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    for (temperature, weight), rows in sorted(grid(recorded).items()):
        found.setdefault(f"weight {weight:g}", []).append([temperature, round(100 * validation(rows).mean, 4)])
    alone = [line for line in recorded if line["arm"] == BASELINE]
    if alone:
        found["hard labels"] = round(100 * validation(alone).mean, 4)
    return found


def draw_by_temperature(numbers: Numbers) -> Any:
    """A curve a weight over temperature, hard labels as a line."""
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    from distiller.report import canvas

    curves = {name: points for name, points in numbers.items() if name != "hard labels"}
    looks = canvas.looks(list(curves))
    figure, axes = canvas.blank(
        "Temperature and weight", "validation accuracy of a ResNet-8; the dashed line is hard labels", key=looks
    )
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), color=looks[name].colour, marker=looks[name].marker)
    axes.axhline(numbers["hard labels"], color=canvas.FAINT, linestyle="--")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted({point[0] for points in curves.values() for point in points})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("temperature", size=canvas.TEXT)
    axes.set_ylabel("validation accuracy (%)", size=canvas.TEXT)
    return figure


FIGURES: dict[str, tuple[Callable[[], Numbers], Callable[[Numbers], Any]]] = {
    "accuracy_and_size": (accuracy_by_size, draw_by_size),
    "few_labels": (partial(accuracy_by_labels, "label_spaces"), draw_by_labels),
    "label_spaces": (
        partial(accuracy_by_arm, "label_spaces", "20 % of the labels"),
        partial(draw_by_arm, "Bridges, a fifth of the labels"),
    ),
    "temperature_and_weight": (partial(accuracy_by_temperature, "temperature_and_weight"), draw_by_temperature),
}
