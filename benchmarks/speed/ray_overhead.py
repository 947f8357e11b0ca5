"""Wall time of training the students of a run on a Ray cluster of this machine alone, and in as many processes.

    python -m benchmarks.speed.ray_overhead --seeds 4 --epochs 16 --data-dir DIR

The same run by `--processes` and by `--ray local --processes`, in turn, each with its start. One JSON line per run is
added to `results/ray_overhead.jsonl`.
"""

import argparse
import sys

from benchmarks.results import lines
from benchmarks.shell import Line, command, processes
from benchmarks.speed import run_times
from benchmarks.speed.run_times import Kind

NAME = "ray_overhead.jsonl"
PROCESSES, RAY = "processes", "ray"


def kinds(args: argparse.Namespace) -> dict[str, Kind]:
    """Both kinds of run; the students of both learn from cached teacher outputs."""
    return {
        PROCESSES: Kind(["cache={}"], args.processes),
        RAY: Kind(["cache={}"], args.processes, "local"),
    }


def sentence(found: list[Line]) -> str:
    """Medians over the rounds of both kinds of run, in words."""
    beside, on_ray = (run_times.median(found, kind) for kind in (PROCESSES, RAY))
    students, where = run_times.setting(found)
    return (
        f"{students}: {beside:.0f} s in {found[0]['processes']} processes, {on_ray:.0f} s by Ray, "
        f"{on_ray / beside:.2f} times as long; {where}"
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
