"""Table of an experiment that compares a distilled student with hard labels and its teacher."""

from typing import Any

from benchmarks import experiments
from benchmarks.documents.arms import deviations_in_words, gain
from benchmarks.documents.comparison import BASELINE, interval_in_words, wall_time
from benchmarks.files import mlperf_tiny
from benchmarks.results import lines
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, milliseconds, percent
from distiller.report.table import label

HEAD: Row = ("labels", "student", "test, float", "test, int8", "its teacher", "bytes, int8", "ms, int8", "seeds")


def table(name: str) -> str:
    """Markdown table of an experiment: a row per variant and student, in percent, and a sentence per variant.

    Seeds may have been run on several machines, with other times and another converter: bytes and milliseconds are
    those of the last seed's file. Below students of CIFAR-10 stand MLPerf Tiny's files, where they are recorded.
    """
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    rows: list[Row] = []
    sentences = []
    shown = []
    for variant in experiments.read(name).variants:
        arms = lines.by_arm(recorded, variant)
        rows += [_row(variant, arm, found) for arm, found in arms.items()]
        shown += [(found[-1]["seed"], file["device"]) for found in arms.values() for file in _files(found[-1])]
        if {"hard_labels", "distilled"} <= arms.keys():
            sentences.append(_sentence(variant, arms["hard_labels"], arms["distilled"]))
    data = experiments.read(name).recipe_of(next(iter(experiments.read(name).variants)), tiny=False).data
    rows += [_row_beside(row) for row in mlperf_tiny.rows_beside() if data.name == "cifar10"]
    if shown:
        places = " and ".join(dict.fromkeys(f"seed {seed} on {device}" for seed, device in shown))
        sentences.append(f"- Bytes and milliseconds are those of the files of {places}, one thread.")
    return markdown_table(HEAD, rows, sentences)


def _sentence(variant: str, alone: list[dict[str, Any]], taught: list[dict[str, Any]]) -> str:
    """Sentence on a variant: differences in points of test accuracy, and its budget."""
    budget, labelled = taught[0]["budget"], alone[0]["data"]["labelled"]
    difference, deviations = gain(taught, alone)
    int8 = [file["accuracy"] for line in taught for file in _files(line)]
    to_teacher, of_int8 = _mean(taught) - lines.teacher_accuracy(taught), Measure.of(int8).mean - _mean(taught)
    return (
        f"- {variant} ({labelled:,} labelled images): against hard labels the distilled student has "
        f"{100 * difference:+.2f} points ({interval_in_words(taught, alone)}{deviations_in_words(deviations)}), "
        f"against its teacher {100 * to_teacher:+.2f}, "
        f"and as int8 against itself {100 * of_int8:+.2f}. "
        f"Every student: {budget['steps']:,} steps of {budget['batch_size']} images."
        f"{wall_time({BASELINE: alone, 'distilled': taught})}"
    )


def _row_beside(row: Row) -> Row:
    network, of_float, of_int8, size = row
    return ("50,000 labelled images", f"{network}, hard labels", of_float, of_int8, "", size, "", "their file")


def _mean(found: list[dict[str, Any]]) -> float:
    return Measure.of([line["test_accuracy"] for line in found]).mean


def _files(line: dict[str, Any]) -> list[dict[str, Any]]:
    return [file for file in line["tflite"] if file["scheme"] == "int8"]


def _row(variant: str, arm: str, found: list[dict[str, Any]]) -> Row:
    files = [file for line in found for file in _files(line)]
    last = _files(found[-1])
    taught = bool(found[0]["recipe"]["arms"][arm]["objectives"])
    return (
        variant,
        label(arm),
        percent(Measure.of([line["test_accuracy"] for line in found])),
        percent(Measure.of([file["accuracy"] for file in files])),
        percent(Measure.of([lines.teacher_accuracy(found)])) if taught else "",
        f"{last[0]['bytes']:,}" if last else "",
        milliseconds(Measure.of([last[0]["latency_ms"]["median"]])) if last else "",
        str(len(found)),
    )
