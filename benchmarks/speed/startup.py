"""Start-up time of `import distiller` and `distiller --help`.

    python -m benchmarks.speed.startup

Each starts a process of its own, in turn. The goal is half a second without loading TensorFlow. One JSON line
is added to `results/startup.jsonl`.
"""

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, progress, rounds

NAME = "startup.jsonl"
LIMIT = 0.5  # seconds
_IMPORT = "import sys, distiller; print('tensorflow' in sys.modules)"
_HELP = (
    "import sys, atexit; atexit.register(lambda: print('tensorflow' in sys.modules)); "
    "sys.argv = ['distiller', '--help']; from distiller.cli import main; main()"
)
WAYS = {"import distiller": _IMPORT, "distiller --help": _HELP}


def _start(code: str) -> tuple[float, bool]:
    """Seconds of a process, and whether it loaded TensorFlow."""
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return time.perf_counter() - started, ended.stdout.split()[-1] == "True"


def measure(rounds: int) -> Line:
    """Line of a run; a start before the first round warms the disk."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    loaded = {name: _start(code)[1] for name, code in WAYS.items()}
    with progress("start-up", rounds) as task:
        for number in range(rounds):
            for name, code in WAYS.items():
                seconds[name].append(_start(code)[0])
            task.advance_to(number + 1)
    return {"seconds": seconds, "loads_tensorflow": loaded}


def sentence(line: dict[str, Any]) -> str:
    """The recorded times in words, with the verdict of each."""
    parts = []
    for name, seconds in line["seconds"].items():
        median = statistics.median(seconds)
        met = max(seconds) < LIMIT and not line["loads_tensorflow"][name]
        verdict = "met" if met else "open" if median < LIMIT and not line["loads_tensorflow"][name] else "missed"
        tensorflow = "with" if line["loads_tensorflow"][name] else "without"
        parts.append(
            f"{verdict}: `{name}` in less than {LIMIT} s: {median:.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), "
            f"{tensorflow} TensorFlow"
        )
    rounds = len(next(iter(line["seconds"].values())))
    return "; ".join(parts) + f". {rounds} starts of each, in turn; {lines.machine(line)}."


def table() -> str:
    """Last recorded run as a list item."""
    return lines.last_in_words(NAME, sentence)


@command(rounds(11), results=NAME, show=lambda found: sentence(found[-1]), backend=False)
def main(args: argparse.Namespace) -> list[Line]:
    """One line."""
    return [measure(args.rounds)]


if __name__ == "__main__":
    sys.exit(main())
