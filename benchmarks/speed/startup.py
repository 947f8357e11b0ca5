"""How long `import distiller` and `distiller --help` take.

    python -m benchmarks.speed.startup

Each starts a process of its own, in turn. The goal is half a second, and TensorFlow is not to be loaded. One JSON line
is added to `results/startup.jsonl`.
"""

import argparse
import datetime
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.arguments import whole

NAME = "startup.jsonl"
LIMIT = 0.5  # seconds
_IMPORT = "import sys, distiller; print('tensorflow' in sys.modules)"
_HELP = (
    "import sys, atexit; atexit.register(lambda: print('tensorflow' in sys.modules)); "
    "sys.argv = ['distiller', '--help']; from distiller.cli import main; main()"
)
WAYS = {"import distiller": _IMPORT, "distiller --help": _HELP}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.startup",
        description="Time import distiller and distiller --help, each in processes of their own.",
        epilog="example: python -m benchmarks.speed.startup --rounds 3 --out runs/startup.jsonl",
    )
    parser.add_argument("--rounds", type=whole, default=11, help="starts of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the line to")
    asked = parser.parse_args(arguments)
    line = measured(asked.rounds)
    lines.append(asked.out, [line])
    print(sentence(line))
    return 0


def measured(rounds: int) -> dict[str, Any]:
    """The line of a run; a start before the first round warms the disk."""
    from distiller.provenance import provenance

    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    loaded = {name: _start(code)[1] for name, code in WAYS.items()}
    for _ in range(rounds):
        for name, code in WAYS.items():
            seconds[name].append(_start(code)[0])
    run = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"seconds": seconds, "loads_tensorflow": loaded, "run": run, **provenance()}


def _start(code: str) -> tuple[float, bool]:
    """Seconds of a process, and whether it loaded TensorFlow."""
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return time.perf_counter() - started, ended.stdout.split()[-1] == "True"


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
    """The last recorded run, as a sentence for the documents."""
    recorded = lines.read(lines.RESULTS / NAME)
    return f"- {sentence(recorded[-1])}" if recorded else ""


if __name__ == "__main__":
    sys.exit(main())
