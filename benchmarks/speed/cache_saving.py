"""Wall time saved by caching teacher outputs in a run of several seeds: the same run with and without a cache, in turn.

    python -m benchmarks.speed.cache_saving --data-dir DIR

The first student fills the cache for all. One JSON line per run is added to `results/cache_saving.jsonl`.
"""

import argparse
import sys

from benchmarks.results import lines
from benchmarks.shell import Line, command
from benchmarks.speed import run_times
from benchmarks.speed.run_times import Kind

NAME = "cache_saving.jsonl"
KINDS = {"live": Kind(["cache=null"]), "stored": Kind(["cache={}"])}


def sentence(found: list[Line]) -> str:
    """Medians over the rounds of both kinds of run, in words."""
    live, stored = (run_times.median(found, kind) for kind in KINDS)
    students, where = run_times.setting(found)
    return (
        f"{students}: {live:.0f} s with a live teacher, {stored:.0f} s with stored answers, {stored / live:.2f} times "
        f"as long; {where}"
    )


def table() -> str:
    """Last recorded run as a list item."""
    return f"- {sentence(lines.last_run(lines.RESULTS / NAME))}"


@command(*run_times.OPTIONS, results=NAME, show=sentence)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per run."""
    return run_times.measure(args, KINDS)


if __name__ == "__main__":
    sys.exit(main())
