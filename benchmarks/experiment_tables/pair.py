"""The table of an experiment that compares a distilled student with hard labels and its teacher."""

import statistics
from typing import Any

from benchmarks import experiments, lines
from benchmarks.experiment_tables.arms import gain, how_sure
from benchmarks.markdown import Row, markdown
from distiller.report.measure import Measure, milliseconds, percent

HEAD: Row = ("labels", "student", "test, float", "test, int8", "its teacher", "bytes, int8", "ms, int8", "seeds")


def table(name: str) -> str:
    """An experiment in Markdown: a row a variant and student, in percent, and a sentence a variant on what it shows.

    Milliseconds are the median over seeds: the file of each does the same work. Seeds may have been run on several
    machines, with other times and another converter: bytes and milliseconds are those of the machine of the first.
    """
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    rows: list[Row] = []
    sentences = []
    device = next((file["device"] for line in recorded for file in _files(line)), "")
    for variant in experiments.read(name).variants:
        arms = lines.by_arm(recorded, variant)
        rows += [_row(variant, arm, found, device) for arm, found in arms.items()]
        if {"hard_labels", "distilled"} <= arms.keys():
            sentences.append(_sentence(variant, arms["hard_labels"], arms["distilled"]))
    if device:
        sentences.append(f"- Bytes and milliseconds are those of the files made and measured on {device}, one thread.")
    return markdown(HEAD, rows, sentences)


def _sentence(variant: str, alone: list[dict[str, Any]], taught: list[dict[str, Any]]) -> str:
    """What a variant shows, in points of test accuracy, and its budget."""
    budget, labelled = taught[0]["budget"], alone[0]["data"]["labelled"]
    difference, deviations = gain(taught, alone)
    int8 = [file["accuracy"] for line in taught for file in _files(line)]
    to_teacher, of_int8 = _mean(taught) - lines.teacher_accuracy(taught), Measure.of(int8).mean - _mean(taught)
    return (
        f"- {variant} ({labelled:,} labelled images): against hard labels the distilled student has "
        f"{100 * difference:+.2f} points ({how_sure(deviations)}), against its teacher {100 * to_teacher:+.2f}, "
        f"and as int8 against itself {100 * of_int8:+.2f}. "
        f"Every student: {budget['steps']:,} steps of {budget['batch_size']} images."
    )


def _mean(found: list[dict[str, Any]]) -> float:
    return Measure.of([line["test_accuracy"] for line in found]).mean


def _files(line: dict[str, Any]) -> list[dict[str, Any]]:
    return [file for file in line["tflite"] if file["scheme"] == "int8"]


def _row(variant: str, arm: str, found: list[dict[str, Any]], device: str) -> Row:
    files = [file for line in found for file in _files(line)]
    measured = [file for file in files if file["device"] == device]
    taught = bool(found[0]["recipe"]["arms"][arm]["objectives"])
    return (
        variant,
        arm.replace("_", " "),
        percent(Measure.of([line["test_accuracy"] for line in found])),
        percent(Measure.of([file["accuracy"] for file in files])),
        percent(Measure.of([lines.teacher_accuracy(found)])) if taught else "",
        f"{measured[0]['bytes']:,}" if measured else "",
        milliseconds(Measure.of([statistics.median(file["latency_ms"]["median"] for file in measured)]))
        if measured
        else "",
        str(len(found)),
    )
