"""Table of an experiment on a published teacher-student pair: published accuracies beside those recorded here."""

from typing import Any

from benchmarks import experiments
from benchmarks.documents.arms import deviations_cell, gain
from benchmarks.documents.comparison import BASELINE, accuracies, gain_with_interval, standings, wall_time
from benchmarks.results import lines
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, percent
from distiller.report.table import label

HEAD = ("arm", "validation", "test, float", "over hard labels", "deviations", "test, int8", "minutes", "seeds")
HEAD_PUBLISHED = ("published", "over hard labels, published")


def table(name: str) -> str:
    """Markdown table of an experiment: a row per arm, after the row of the teacher; accuracies after the last epoch."""
    experiment = experiments.read(name)
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    return "\n\n".join(
        _of_variant(variant, arms, experiment.published)
        for variant in experiment.variants
        if (arms := lines.by_arm(recorded, variant))
    )


def _of_variant(variant: str, arms: dict[str, list[dict[str, Any]]], published: dict[str, float]) -> str:
    first = arms[BASELINE][0]
    budget, training = first["budget"], first["recipe"]["teacher"]["train"]["training"]
    accuracy = lines.teacher_accuracy([line for found in arms.values() for line in found])
    rows: list[Row] = [
        ("teacher", "", f"{100 * accuracy:.2f}", "", "", "", "", "", _figure(published.get("teacher")), "")
    ]
    rows += [_row(arm, found, arms[BASELINE], published) for arm, found in arms.items()]
    sentence = (
        f"- {variant}: the teacher trained {training['epochs']} epochs, every student {budget['steps']:,} steps of "
        f"{budget['batch_size']} images ({first['recipe']['training']['epochs']} epochs); published: 240."
        f"{standings(arms)}{wall_time(arms)}"
    )
    return markdown_table((*HEAD, *HEAD_PUBLISHED), rows, [sentence])


def _row(arm: str, found: list[dict[str, Any]], alone: list[dict[str, Any]], published: dict[str, float]) -> Row:
    difference, deviations = gain(found, alone) if arm != BASELINE else (None, None)
    elsewhere = published.get(arm)
    over = None if arm == BASELINE or elsewhere is None else elsewhere - published[BASELINE]
    files = [file["accuracy"] for line in found for file in line["tflite"] if file["scheme"] == "int8"]
    return (
        label(arm),
        percent(Measure.of([line["last_validation_accuracy"] for line in found])),
        percent(Measure.of([line["test_accuracy"] for line in found])),
        "" if difference is None else gain_with_interval(accuracies(found), accuracies(alone)),
        deviations_cell(deviations),
        percent(Measure.of(files)) if files else "",
        f"{Measure.of([line['seconds'] for line in found]).mean / 60:.1f}",
        str(len(found)),
        _figure(elsewhere),
        "" if over is None else f"{over:+.2f}",
    )


def _figure(accuracy: float | None) -> str:
    """A published accuracy in percent as its source gives it; empty where there is none.

    >>> _figure(70.7), _figure(None)
    ('70.70', '')
    """
    return "" if accuracy is None else f"{accuracy:.2f}"
