"""Latencies of `tflite.benchmark` beside those of LiteRT's own benchmark: same file, same machine, one run.

    taskset -c 0,1 python -m benchmarks.files.litert_agreement
    python -m benchmarks.files.litert_agreement --rounds 3 --results runs/agreement

Both run a file in a process of their own and take turns, in rounds: `tflite.benchmark`, which times the interpreter,
and `litert-benchmark` of the package ai-edge-litert, which times LiteRT's compiled model. The medians of each round are
compared. One JSON line per file is recorded, with the verdict on their agreement.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import lines
from benchmarks.shell import Line, at_least, command, option, progress, rounds

if TYPE_CHECKING:
    pass

NAME = "litert_agreement.jsonl"
LIMIT = 0.05  # how far the ratio of the medians may be from 1
# Network, its options, scheme.
FILES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("resnet8", {}, "int8"),
    ("resnet8", {}, "float32"),
    ("mobilenet_v2", {"width": 0.5}, "int8"),
)

# Program of `litert-benchmark`, without its rounding to 0.01 ms, an eighth of the latency of a small network.
_THEIRS = """
from ai_edge_litert.tools import benchmark_litert_model as theirs
theirs.round = lambda number, _: number
theirs.main()
"""


def measure(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Lines of a run, one per file.

    Raises:
        WorkError: the other benchmark failed.
    """
    paths = [_convert(name, options, scheme, folder) for name, options, scheme in FILES]
    ours: list[list[float]] = [[] for _ in FILES]
    theirs: list[list[float]] = [[] for _ in FILES]
    with progress("agreement", args.rounds * len(FILES)) as task:
        for turn in range(args.rounds):
            for i, path in enumerate(paths):
                # Each goes first in every other round.
                for mine in (True, False) if turn % 2 == 0 else (False, True):
                    (ours if mine else theirs)[i].append((our_median if mine else their_median)(path, args))
                task.advance_to(turn * len(FILES) + i + 1)
    return [
        {
            "network": name,
            "options": options,
            "scheme": scheme,
            "bytes": path.stat().st_size,
            "threads": args.threads,
            "runs": args.runs,
            "ours_ms": ours[i],
            "theirs_ms": theirs[i],
            **compare_medians(ours[i], theirs[i]),
        }
        for i, ((name, options, scheme), path) in enumerate(zip(FILES, paths, strict=True))
    ]


def compare_medians(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Median of the ratios of each round, its interval, and the verdict.

    >>> compare_medians([1.0, 1.0, 1.0], [1.0, 0.8, 1.25])
    {'ratio': 1.0, 'interval': None, 'limit': 0.05, 'agree': True}
    """
    from tflite.benchmarking.intervals import median_interval

    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    ratio, interval = statistics.median(ratios), median_interval(ratios, 0.95)
    return {
        "ratio": ratio,
        "interval": interval and [interval.low, interval.high],
        "limit": LIMIT,
        "agree": abs(ratio - 1) <= LIMIT,
    }


def sentence(line: dict[str, Any]) -> str:
    """Sentence for a line."""
    between = f", from {line['interval'][0]:.3f} to {line['interval'][1]:.3f}" if line["interval"] else ""
    return (
        f"{line['network']} {line['scheme']}: ours {statistics.median(line['ours_ms']):.4f} ms, theirs "
        f"{statistics.median(line['theirs_ms']):.4f} ms, ratio {line['ratio']:.3f}{between}: "
        f"{'within' if line['agree'] else 'NOT within'} {line['limit']:.0%}"
    )


def our_median(path: Path, args: argparse.Namespace) -> float:
    """Milliseconds of one run, the median over the runs of a round, by `tflite.benchmark`."""
    import tflite

    found = tflite.benchmark(path, threads=args.threads, runs=args.runs, warmup_runs=args.runs // 10, min_seconds=0.0)
    assert found.median_ms is not None
    return found.median_ms


def their_median(path: Path, args: argparse.Namespace) -> float:
    """The same by `litert-benchmark`.

    Raises:
        WorkError: it failed.
    """
    from distiller.errors import WorkError

    out = path.with_suffix(".json")
    options = {
        "model": path,
        "num_runs": args.runs,
        "warmup_runs": args.runs // 10,
        "num_threads": args.threads,
        "result_json": out,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    call = subprocess.run([sys.executable, "-c", _THEIRS, *flags], capture_output=True, text=True, check=False)
    if call.returncode:
        raise WorkError(f"litert-benchmark failed on {path.name}: {call.stderr.strip().splitlines()[-1:]}")
    return float(json.loads(out.read_text())["latency"]["median_ms"])


def _convert(name: str, options: dict[str, Any], scheme: str, folder: Path) -> Path:
    """File of an untrained network: latency does not depend on the weights."""
    import keras
    import numpy as np

    import tflite
    from distiller import models

    keras.utils.set_random_seed(0)
    network = models.build(name, 10, (32, 32, 3), **options)
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3)).astype("float32")
    path = folder / f"{name}-{scheme}.tflite"
    return tflite.convert(network, path, scheme=scheme, representative=images if scheme == "int8" else None).path


def table() -> str:
    """Last recorded run, a list item per file and one on how it was made."""
    return table_of_run(lines.last_run(lines.RESULTS / NAME))


def table_of_run(run: list[Line]) -> str:
    """List item per file of a run, and one on how it was made."""
    one = run[0]
    setting = (
        f"- {len(one['ours_ms'])} rounds of {one['runs']:,} runs, {one['threads']} thread; the interval holds the "
        f"median ratio with 95 % or more. {one['machine']['processor']}, ai-edge-litert "
        f"{one['versions']['ai-edge-litert']}."
    )
    return "\n".join([*(f"- {sentence(line)}." for line in run), setting])


def _trial(args: argparse.Namespace) -> str:
    return "fewer than 6 rounds have no interval: such a run" if args.rounds < 6 else ""


@command(
    rounds(11),
    option("--runs", type=at_least(10), default=1000, metavar="N", help="runs of each tool in a round"),
    option("--threads", type=at_least(1), default=1, metavar="N", help="threads of both"),
    results=NAME,
    show=table_of_run,
    passed=lambda run: all(line["agree"] for line in run),
    trial=_trial,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per file; the exit code is 1 where the two do not agree."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(args, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
