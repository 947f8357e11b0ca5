"""Make every table, verdict and figure in the documents from the recorded results.

    python -m benchmarks.tables           write them
    python -m benchmarks.tables --check   exit 1 if a document or a figure is not what the results say

A document marks a table with `<!-- table: NAME -->` and `<!-- end -->`, and a paragraph of what results say with
`<!-- verdict: NAME -->` and `<!-- end -->` (`benchmarks.verdicts`).
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import diagnoses, experiments, figures, lines, small_photos_table, verdicts
from benchmarks.experiment_tables import arms, grid, pair, published, quantization
from benchmarks.files import litert_agreement, networks_table, zoo_agreement
from benchmarks.speed import (
    cache_saving,
    frozen_teacher,
    fused,
    growth,
    side_by_side_saving,
    startup,
    step_cost_table,
    step_profile,
    streaming_memory,
    torch_peers,
    torch_profile,
)

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "benchmarks/README.md")
_MARK = re.compile(
    r"(?P<start><!-- (?P<kind>table|verdict): (?P<name>[a-z0-9_]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description="Make all tables and figures.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is out of date")
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
    stale += [f"benchmarks/figures/{name}.png" for name in (figures.stale() if asked.check else figures.write())]
    for name in stale:
        print(f"{name} {'is out of date: run python -m benchmarks.tables' if asked.check else 'written'}")
    return 1 if stale and asked.check else 0


def filled(document: str) -> str:
    """The document with every marked table and verdict made anew."""

    def make(match: re.Match[str]) -> str:
        made = table(match["name"]) if match["kind"] == "table" else verdicts.paragraph(match["name"])
        return f"{match['start']}{made}\n{match['end']}"

    return _MARK.sub(make, document)


def table(name: str) -> str:
    """The table of a benchmark or of an experiment, in Markdown."""
    made: dict[str, Callable[[], str]] = {
        "step_cost": step_cost_table.table,
        "faster": step_cost_table.faster,
        "cache_saving": cache_saving.table,
        "side_by_side_saving": side_by_side_saving.table,
        "litert_agreement": litert_agreement.table,
        "label_smoothing_diagnoses": partial(diagnoses.table, "label_smoothing_diagnoses"),
        "torch_peers": torch_peers.table,
        "torch_profile": torch_profile.table,
        "step_profile": step_profile.table,
        "growth": growth.table,
        "streaming_memory": streaming_memory.table,
        "frozen_teacher": frozen_teacher.table,
        "startup": startup.table,
        "fused": fused.table,
        "networks": networks_table.table,
        "zoo_agreement": zoo_agreement.table,
        "quantization": quantization.table,
        "small_photos": small_photos_table.table,
    }
    source = "step_cost" if name == "faster" else name
    if not (lines.RESULTS / f"{source}.jsonl").exists():
        return "Not recorded yet."
    if name in made:
        return made[name]()
    forms = {
        "pair": pair.table,
        "arms": arms.table,
        "grid": grid.table,
        "published": published.table,
    }
    return forms[experiments.read(name).table](name)


if __name__ == "__main__":
    sys.exit(main())
