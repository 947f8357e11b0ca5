"""Table of an experiment that compares several arms with hard labels."""

import math
from typing import Any

from benchmarks import experiments
from benchmarks.documents.comparison import (
    BASELINE,
    accuracies,
    gain_with_interval,
    interval_in_words,
    standings,
    wall_time,
)
from benchmarks.results import lines
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, percent
from distiller.report.table import label

# The deviation of three seeds is not known well enough to tell more deviations apart.
_MOST = 10
HEAD = (
    "labels",
    "student",
    "validation",
    "test, float",
    "over hard labels",
    "deviations",
    "test, int8",
    "minutes",
    "seeds",
)


def table(name: str) -> str:
    """Markdown table of an experiment: a row per variant and arm, and a sentence per variant on the best arm.

    "Over hard labels" is the difference of the means on the test split in points with its 95 % interval (Welch's),
    and "deviations" how many combined sample deviations, √(s² + s₀²), that is; empty where there is one seed. Minutes
    are empty where the students of a variant were trained on several machines.
    """
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    rows: list[Row] = []
    sentences = []
    for variant in experiments.read(name).variants:
        arms = lines.by_arm(recorded, variant)
        timed = len({str(line["machine"]) for found in arms.values() for line in found}) == 1
        rows += [_row(variant, arm, found, arms.get(BASELINE), timed=timed) for arm, found in arms.items()]
        if BASELINE in arms and len(arms) > 1:
            sentences.append(_best(variant, arms))
    return markdown_table(HEAD, rows, sentences)


def gain(found: list[dict[str, Any]], alone: list[dict[str, Any]]) -> tuple[float, float | None]:
    """Gain of an arm on the test split, as a fraction and in combined deviations; None with one seed.

    >>> lines = [[{"test_accuracy": a} for a in arm] for arm in ((0.80, 0.82), (0.70, 0.72))]
    >>> difference, deviations = gain(*lines)
    >>> round(difference, 3), round(deviations, 2)  # 0.1 over √2 · 0.01 · √2
    (0.1, 5.0)
    """
    own, base = (Measure.of([line["test_accuracy"] for line in lines]) for lines in (found, alone))
    difference = own.mean - base.mean
    if own.deviation is None or base.deviation is None:
        return difference, None
    combined = math.hypot(own.deviation, base.deviation)
    return difference, difference / combined if combined else None


def deviations_in_words(deviations: float | None) -> str:
    """A difference's combined deviations in words.

    >>> deviations_in_words(5.04), deviations_in_words(12.3), deviations_in_words(None)
    ('5.0 combined deviations', 'more than 10 combined deviations', 'one seed')
    """
    if deviations is None:
        return "one seed"
    return f"{f'{deviations:.1f}' if abs(deviations) <= _MOST else f'more than {_MOST}'} combined deviations"


def deviations_cell(deviations: float | None) -> str:
    """A difference's combined deviations as a cell.

    >>> deviations_cell(5.04), deviations_cell(12.3), deviations_cell(-12.3), deviations_cell(None)
    ('+5.0', '> 10', '< -10', '')
    """
    if deviations is None:
        return ""
    if abs(deviations) <= _MOST:
        return f"{deviations:+.1f}"
    return f"> {_MOST}" if deviations > 0 else f"< -{_MOST}"


def _row(
    variant: str, arm: str, found: list[dict[str, Any]], alone: list[dict[str, Any]] | None, *, timed: bool
) -> Row:
    files = [file["accuracy"] for line in found for file in line["tflite"] if file["scheme"] == "int8"]
    difference, deviations = gain(found, alone) if alone and arm != BASELINE else (None, None)
    seconds = Measure.of([line["seconds"] for line in found]).mean
    return (
        variant,
        label(arm),
        percent(Measure.of([line["last_validation_accuracy"] for line in found])),
        percent(Measure.of([line["test_accuracy"] for line in found])),
        "" if difference is None or not alone else gain_with_interval(accuracies(found), accuracies(alone)),
        deviations_cell(deviations),
        percent(Measure.of(files)) if files else "",
        f"{seconds / 60:.1f}" if timed else "",
        str(len(found)),
    )


def _to_teacher(arm: str, found: list[dict[str, Any]]) -> str:
    """Difference of an arm from its teacher, where that is the recipe's own: lines have the accuracy of no other."""
    if found[0]["recipe"]["arms"][arm]["bridge"] is not None:
        return ""
    difference = Measure.of([line["test_accuracy"] for line in found]).mean - lines.teacher_accuracy(found)
    return f" and {100 * difference:+.2f} against its teacher"


def _best(variant: str, arms: dict[str, list[dict[str, Any]]]) -> str:
    """Sentence on the arm that is best on the validation split, and its gain over hard labels on the test split."""

    def validation(arm: str) -> float:
        return Measure.of([line["last_validation_accuracy"] for line in arms[arm]]).mean

    best = max((arm for arm in arms if arm != BASELINE), key=validation)
    difference, deviations = gain(arms[best], arms[BASELINE])
    budget = arms[best][0]["budget"]
    return (
        f"- {variant} ({arms[BASELINE][0]['data']['labelled']:,} labelled images): best on the validation split is "
        f"{label(best)}, on the test split {100 * difference:+.2f} points over hard labels "
        f"({interval_in_words(arms[best], arms[BASELINE])}{deviations_in_words(deviations)})"
        f"{_to_teacher(best, arms[best])}."
        f"{standings(arms)} Every student: {budget['steps']:,} steps of {budget['batch_size']} images.{wall_time(arms)}"
    )
