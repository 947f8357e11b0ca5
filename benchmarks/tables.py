"""Make every table in the documents from the recorded results.

    python -m benchmarks.tables           write them
    python -m benchmarks.tables --check   exit 1 if a document is not what the results say

A document marks a table with `<!-- table: NAME -->` and `<!-- end -->`.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks import (
    arms_table,
    cache_saving,
    experiments,
    lines,
    litert_agreement,
    networks_table,
    quantization_table,
    step_cost_table,
    zoo_agreement,
)
from distiller.report.measure import Measure, milliseconds, percent

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "benchmarks/README.md")
_MARK = re.compile(r"(<!-- table: (?P<name>[a-z0-9_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description="Make the documents' tables.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a document is out of date")
    asked = parser.parse_args(arguments)
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        old = path.read_text()
        new = filled(old)
        if new != old:
            stale.append(name)
            if not asked.check:
                path.write_text(new)
    for name in stale:
        print(f"{name} {'is out of date: run python -m benchmarks.tables' if asked.check else 'written'}")
    return 1 if stale and asked.check else 0


def filled(document: str) -> str:
    """The document with every marked table made anew."""

    def make(match: re.Match[str]) -> str:
        return f"{match[1]}{table(match['name'])}\n{match[3]}"

    return _MARK.sub(make, document)


def table(name: str) -> str:
    """An experiment in Markdown: a row a variant and student, in percent, and a sentence a variant on what it shows."""
    made = {
        "step_cost": step_cost_table.table,
        "cache_saving": cache_saving.table,
        "litert_agreement": litert_agreement.table,
        "networks": networks_table.table,
        "zoo_agreement": zoo_agreement.table,
        "quantization": quantization_table.table,
    }
    if name in made:
        return made[name]()
    if experiments.read(name).table == "arms":
        return arms_table.table(name)
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    head = "| labels | student | test, float | test, int8 | its teacher | bytes, int8 | ms, int8 | seeds |"
    rows = [head, "|---|---|---|---|---|---|---|---|"]
    sentences = []
    for variant in experiments.read(name).variants:
        arms: dict[str, list[dict[str, Any]]] = {}
        for line in recorded:
            if line["variant"] == variant:
                arms.setdefault(line["arm"], []).append(line)
        rows += [_row(variant, arm, found) for arm, found in arms.items()]
        if {"hard_labels", "distilled"} <= arms.keys():
            sentences.append(_sentence(variant, arms["hard_labels"], arms["distilled"]))
    return "\n".join([*rows, "", *sentences])


def _sentence(variant: str, alone: list[dict[str, Any]], taught: list[dict[str, Any]]) -> str:
    """What a variant shows, in points of test accuracy, and its budget."""
    budget, labelled = taught[0]["budget"], alone[0]["data"]["labelled"]
    gain = _mean(taught) - _mean(alone)
    int8 = [file["accuracy"] for line in taught for file in line["tflite"] if file["scheme"] == "int8"]
    to_teacher, of_int8 = _mean(taught) - taught[0]["teacher"]["accuracy"], Measure.of(int8).mean - _mean(taught)
    return (
        f"- {variant} ({labelled:,} labelled images): against hard labels the distilled student has {100 * gain:+.2f} "
        f"points, against its teacher {100 * to_teacher:+.2f}, and as int8 against itself {100 * of_int8:+.2f}. "
        f"Every student: {budget['steps']:,} steps of {budget['batch_size']} images."
    )


def _mean(found: list[dict[str, Any]]) -> float:
    return Measure.of([line["test_accuracy"] for line in found]).mean


def _row(variant: str, arm: str, found: list[dict[str, Any]]) -> str:
    files = [file for line in found for file in line["tflite"] if file["scheme"] == "int8"]
    taught = bool(found[0]["recipe"]["arms"][arm]["objectives"])
    cells = [
        variant,
        arm.replace("_", " "),
        percent(Measure.of([line["test_accuracy"] for line in found])),
        percent(Measure.of([file["accuracy"] for file in files])),
        percent(Measure.of([found[0]["teacher"]["accuracy"]])) if taught else "",
        f"{files[0]['bytes']:,}",
        milliseconds(Measure.of([file["latency_ms"]["median"] for file in files])),
        str(len(found)),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
