"""Wall time of training the students of a run in parallel: the same run in one process and in several, in turn.

    python -m benchmarks.speed.side_by_side_saving --seeds 4 --epochs 16 --data-dir DIR

One JSON line per run is added to `results/side_by_side_saving.jsonl`.
"""

import argparse
import sys

from benchmarks.results import lines
from benchmarks.shell import Line, command, processes
from benchmarks.speed import run_times
from benchmarks.speed.run_times import Kind

NAME = "side_by_side_saving.jsonl"
ALONE, BESIDE = "one at a time", "side by side"


def kinds(args: argparse.Namespace) -> dict[str, Kind]:
    """Both kinds of run; the students of both learn from cached teacher outputs."""
    return {ALONE: Kind(["cache={}"]), BESIDE: Kind(["cache={}"], args.processes)}


def sentence(found: list[Line]) -> str:
    """Medians over the rounds of both kinds of run, in words."""
    alone, beside = (run_times.median(found, kind) for kind in (ALONE, BESIDE))
    processes = max(line["processes"] for line in found)
    students, where = run_times.setting(found)
    return (
        f"{students}: {alone:.0f} s one after another, {beside:.0f} s {processes} at a time, {beside / alone:.2f} "
        f"times as long; {where}"
    )


def table() -> str:
    """Last recorded run as a list item."""
    return f"- {sentence(lines.last_run(lines.RESULTS / NAME))}"


@command(processes(2), *run_times.OPTIONS, results=NAME, show=sentence)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per run."""
    return run_times.measure(args, kinds(args))


if __name__ == "__main__":
    sys.exit(main())
