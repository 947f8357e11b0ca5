"""How much faster networks train, and answer, with `models.fuse` than as Keras computes them.

    python -m benchmarks.speed.fused

Plain training on hard labels and the forward pass in inference mode, on batches in memory. The network with fast
kernels and its clone without them take turns. One JSON line a network and a precision is added to
`results/fused.jsonl`.
"""

import argparse
import dataclasses
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.arguments import whole
from benchmarks.markdown import markdown

NAME = "fused.jsonl"
NETWORKS = ("resnet8", "resnet20", "mobilenet_v2")
PRECISIONS = ("float32", "mixed_bfloat16")
# With fewer an interval is that of all rounds.
_ROUNDS = 6
_PARTS = {"training": "a training step", "forward": "a forward pass"}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.fused",
        description="Time training steps and forward passes of networks with fast kernels and without, in turn.",
        epilog="example: python -m benchmarks.speed.fused --networks mobilenet_v2 --rounds 3 --out runs/fused.jsonl",
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME", help="of the zoo (%(default)s)")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS, help="(%(default)s)")
    parser.add_argument("--batch", type=whole, default=64, help="images a step (%(default)s)")
    parser.add_argument("--rounds", type=whole, default=9, help="timings of each (%(default)s)")
    parser.add_argument("--steps", type=whole, default=4, help="steps a timing (%(default)s)")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the lines to")
    asked = parser.parse_args(arguments)
    if asked.out == lines.RESULTS / NAME and asked.rounds < _ROUNDS:
        parser.error(f"a run of less than {_ROUNDS} rounds is no result: give --out another file")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend
    from distiller.errors import InputError, WorkError
    from distiller.provenance import provenance

    load_backend()
    here = {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}
    try:
        check(asked.networks)
        for network in asked.networks:
            for precision in asked.precisions:
                line = {**measured(network, precision, asked), **here}
                lines.append(asked.out, [line])
                print(of_lines([line]))
    except (InputError, WorkError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def check(networks: Sequence[str]) -> None:
    """Raise InputError where the backend has no such kernels, or a network is unknown."""
    import keras

    from distiller import models
    from distiller.errors import InputError
    from distiller.nearest import unknown

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"Expected the Keras backend to be 'tensorflow'. Received: {keras.backend.backend()!r}")
    for network in networks:
        if network not in models.ZOO:
            raise InputError(unknown("network", network, models.ZOO))


def measured(network: str, precision: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The line of a network in a precision: seconds a step of both kinds, and how many times as fast the fused is."""
    from benchmarks.speed import peers, timing
    from benchmarks.speed.setting import Setting

    setting = Setting(network, batch=asked.batch, precision=precision)
    steps = {}
    for way in ("fused", "bare"):
        networks = [setting.new_student() if way == "fused" else peers.bare(setting.new_student()) for _ in _PARTS]
        steps[f"training {way}"] = setting.training(networks[0])
        steps[f"forward {way}"] = setting.forward(networks[1])
    for step in steps.values():
        timing.wait(step())
    seconds = timing.in_turn(steps, rounds=asked.rounds, count=asked.steps)
    return {
        "network": network,
        "precision": precision,
        "batch": asked.batch,
        "rounds": asked.rounds,
        "steps": asked.steps,
        "seconds": seconds,
        "times": {
            part: dataclasses.asdict(timing.ratio(seconds[f"{part} bare"], seconds[f"{part} fused"])) for part in _PARTS
        },
    }


def table() -> str:
    """The last line of every network and precision, in Markdown."""
    recorded = lines.read(lines.RESULTS / NAME)
    return of_lines(list({(line["network"], line["precision"]): line for line in recorded}.values()))


def of_lines(found: list[dict[str, Any]]) -> str:
    """A row a line, and how and where they were made."""
    return markdown(
        ("network", "precision", *(f"{part}, × Keras" for part in _PARTS.values()), "images/s, training"),
        [_row(line) for line in found],
        [f"- {note}" for note in dict.fromkeys(_made(line) for line in found)],
        text=(0, 1),
    )


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    times = [f"{one['median']:.2f} ({one['low']:.2f} to {one['high']:.2f})" for one in line["times"].values()]
    seconds = sorted(line["seconds"]["training fused"])
    return line["network"], line["precision"], *times, f"{line['batch'] / seconds[len(seconds) // 2]:.0f}"


def _made(line: dict[str, Any]) -> str:
    return (
        f"Batches of {line['batch']}, medians over {line['rounds']} rounds of {line['steps']} steps each, in turn, "
        f"with intervals. {lines.machine_and_versions(line)}."
    )


if __name__ == "__main__":
    sys.exit(main())
