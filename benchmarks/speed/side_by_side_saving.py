"""What it saves to train the students of a run several at a time: the same run in one process and in several, in turn.

    python -m benchmarks.speed.side_by_side_saving --seeds 4 --epochs 16 --data-dir DIR

One JSON line a run is added to `results/side_by_side_saving.jsonl`.
"""

import argparse
import sys
from typing import Any

from benchmarks.speed import run_times
from benchmarks.speed.run_times import Kind

NAME = "side_by_side_saving.jsonl"
ALONE, BESIDE = "one at a time", "side by side"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.side_by_side_saving",
        description="Time the trainings of a run of several seeds in one process and in several.",
        epilog="example: python -m benchmarks.speed.side_by_side_saving --seeds 4 --rounds 1 --results runs/saving",
    )
    parser.add_argument("--processes", type=int, default=2, help="students trained at a time (%(default)s)")
    return run_times.main(parser, arguments, NAME, kinds, sentence)


def kinds(asked: argparse.Namespace) -> dict[str, Kind]:
    """Both kinds of run; the students of both learn from stored answers."""
    return {ALONE: Kind(["cache={}"]), BESIDE: Kind(["cache={}"], asked.processes)}


def sentence(found: list[dict[str, Any]]) -> str:
    """Both figures of the last run in words: medians over rounds."""
    runs = run_times.last(found)
    alone, beside = (run_times.median(runs, kind) for kind in (ALONE, BESIDE))
    processes = max(line["processes"] for line in runs)
    what, where = run_times.setting(runs)
    return (
        f"{what}: {alone:.0f} s one after another, {beside:.0f} s {processes} at a time, {beside / alone:.2f} times as "
        f"long; {where}"
    )


def table() -> str:
    """The last recorded run, as a sentence for the documents."""
    return run_times.table(NAME, sentence)


if __name__ == "__main__":
    sys.exit(main())
