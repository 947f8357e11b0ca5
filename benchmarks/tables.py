"""Make every table, verdict and figure in the documents from the recorded results.

    python -m benchmarks.tables           write them
    python -m benchmarks.tables --check   exit 1 if a document or a figure is not what the results say

A document marks a table with `<!-- table: NAME -->` and `<!-- end -->`, and a paragraph on the results with
`<!-- verdict: NAME -->` and `<!-- end -->` (`benchmarks.documents.verdicts`).
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import diagnoses, experiments
from benchmarks.documents import (
    arms,
    figures,
    grid,
    networks,
    pair,
    pretrained_photos,
    published,
    quantization,
    small_photos,
    step_cost,
    verdicts,
)
from benchmarks.files import browser_parity, litert_agreement, mlperf_tiny, zoo_agreement
from benchmarks.results import lines
from benchmarks.shell import command, option, progress
from benchmarks.speed import (
    answers_rate,
    cache_saving,
    frozen_teacher,
    fused,
    growth,
    photo_pipeline,
    ray_overhead,
    side_by_side_saving,
    startup,
    step_profile,
    streaming_memory,
    torch_peers,
    torch_profile,
)

ROOT = Path(__file__).parent.parent
# Modules with the name of their results and a table of them.
TABLES = (
    answers_rate,
    browser_parity,
    cache_saving,
    frozen_teacher,
    fused,
    growth,
    litert_agreement,
    mlperf_tiny,
    networks,
    photo_pipeline,
    pretrained_photos,
    quantization,
    ray_overhead,
    side_by_side_saving,
    small_photos,
    startup,
    step_cost,
    step_profile,
    streaming_memory,
    torch_peers,
    torch_profile,
    zoo_agreement,
)
# Form of an experiment's table, as its YAML file names it.
FORMS: dict[str, Callable[[str], str]] = {
    "pair": pair.table,
    "arms": arms.table,
    "grid": grid.table,
    "published": published.table,
}
DOCUMENTS = (
    "README.md",
    "benchmarks/README.md",
    "docs/guides/beyond_one_machine.md",
    "docs/guides/cifar100_to_cifar10.md",
    "docs/guides/few_labels.md",
)
_MARK = re.compile(
    r"(?P<start><!-- (?P<kind>table|verdict): (?P<name>[a-z0-9_]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def fill_in(document: str) -> str:
    """Document with every marked table and verdict made anew."""

    def make(match: re.Match[str]) -> str:
        made = table(match["name"]) if match["kind"] == "table" else verdicts.paragraph(match["name"])
        return f"{match['start']}{made}\n{match['end']}"

    return _MARK.sub(make, document)


def table(name: str) -> str:
    """Markdown table of a benchmark or of an experiment."""
    made: dict[str, Callable[[], str]] = {Path(module.NAME).stem: module.table for module in TABLES}
    made["faster"] = step_cost.speedup_table
    made["label_smoothing_diagnoses"] = partial(diagnoses.table, "label_smoothing_diagnoses")
    source = "step_cost" if name == "faster" else name
    if not (lines.RESULTS / f"{source}.jsonl").exists():
        return "Not recorded yet."
    if name in made:
        return made[name]()
    return FORMS[experiments.read(name).table](name)


@command(
    option("--check", action="store_true", help="write nothing; exit 1 if anything is out of date"),
    backend=False,
)
def main(args: argparse.Namespace) -> int:
    """Write, or check, every document and figure."""
    stale = []
    with progress("documents", len(DOCUMENTS) + 1) as task:
        for place, name in enumerate(DOCUMENTS, start=1):
            path = ROOT / name
            old = path.read_text()
            new = fill_in(old)
            if new != old:
                stale.append(name)
                if not args.check:
                    path.write_text(new)
            task.advance_to(place)
        late = figures.find_stale() if args.check else figures.draw_stale()
    stale += [f"benchmarks/figures/{name}.png" for name in late]
    for name in stale:
        print(f"{name} {'is out of date: run python -m benchmarks.tables' if args.check else 'written'}")
    return 1 if stale and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
