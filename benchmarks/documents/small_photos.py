"""Table of the small sets of photos, and a sentence on each."""

from typing import Any

from benchmarks.results import lines
from distiller.report.intervals import in_points, signed, welch
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, percent
from distiller.report.table import label

NAME = "small_photos"
HEAD: Row = (
    "photos",
    "student",
    "steps",
    "rate",
    "test, float",
    "over hard labels",
    "test, int8",
    "its teacher",
    "seeds",
)


def table() -> str:
    """One row per set and student, in percent, and one sentence per set."""
    return table_of(NAME)


def table_of(name: str) -> str:
    """As `table`, of the lines of another command that has sets of photos as its variants."""
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    rows: list[Row] = []
    sentences = []
    for variant in dict.fromkeys(line["variant"] for line in recorded):
        arms = lines.by_arm(recorded, variant)
        rows += [_row(variant, arm, found, arms["hard_labels"]) for arm, found in arms.items()]
        sentences.append(_sentence(variant, arms["hard_labels"], arms["distilled"]))
    return markdown_table(HEAD, rows, sentences)


def _row(variant: str, arm: str, found: list[dict[str, Any]], alone: list[dict[str, Any]]) -> Row:
    budget, plan = found[0]["budget"], found[0]["recipe"]["training"]
    int8 = [file["accuracy"] for line in found for file in line["tflite"] if file["scheme"] == "int8"]
    taught = arm != "hard_labels"
    gain = Measure.of(_accuracies(found)).mean - Measure.of(_accuracies(alone)).mean
    return (
        f"{variant}, {found[0]['data']['train']} for training",
        label(arm),
        f"{budget['steps']:,} of {budget['batch_size']}",
        f"{plan['learning_rate']:.3g}",
        percent(Measure.of(_accuracies(found))),
        signed(gain) if taught else "",
        percent(Measure.of(int8)),
        percent(Measure.of([lines.teacher_accuracy(found)])) if taught else "",
        str(len(found)),
    )


def _sentence(variant: str, alone: list[dict[str, Any]], taught: list[dict[str, Any]]) -> str:
    """Difference of the distilled student from hard labels, with its interval."""
    base, own = _accuracies(alone), _accuracies(taught)
    gain = Measure.of(own).mean - Measure.of(base).mean
    interval = welch(own, base)
    sure = "one seed, so that it may be chance" if interval is None else f"95 % interval {in_points(interval)}"
    unsure = ", which includes zero" if interval and interval[0] <= 0 <= interval[1] else ""
    side = "above" if gain >= 0 else "below"
    return (
        f"- {variant}: the distilled student is {signed(abs(gain)).removeprefix('+')} points {side} hard labels "
        f"({sure}{unsure})."
    )


def _accuracies(found: list[dict[str, Any]]) -> list[float]:
    return [line["test_accuracy"] for line in found]
