"""What stored answers of a teacher save in a run of several seeds: the same run with and without them, in turn.

    python -m benchmarks.speed.cache_saving --data-dir DIR

The first student makes the answers for all. One JSON line a run is added to `results/cache_saving.jsonl`.
"""

import argparse
import sys
from typing import Any

from benchmarks.speed import run_times
from benchmarks.speed.run_times import Kind

NAME = "cache_saving.jsonl"
KINDS = {"live": Kind(["cache=null"]), "stored": Kind(["cache={}"])}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.cache_saving",
        description="Time the trainings of a run of several seeds with stored answers of the teacher and without.",
        epilog="example: python -m benchmarks.speed.cache_saving --rounds 1 --epochs 2 --results runs/saving",
    )
    return run_times.main(parser, arguments, NAME, lambda _: KINDS, sentence)


def sentence(found: list[dict[str, Any]]) -> str:
    """Both figures of the last run in words: medians over rounds."""
    runs = run_times.last(found)
    live, stored = (run_times.median(runs, kind) for kind in KINDS)
    what, where = run_times.setting(runs)
    return (
        f"{what}: {live:.0f} s with a live teacher, {stored:.0f} s with stored answers, {stored / live:.2f} times as "
        f"long; {where}"
    )


def table() -> str:
    """The last recorded run, as a sentence for the documents."""
    return run_times.table(NAME, sentence)


if __name__ == "__main__":
    sys.exit(main())
