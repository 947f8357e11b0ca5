"""Training and inference with `models.fuse` beside Keras's own layers.

    python -m benchmarks.speed.fused

Plain training on hard labels and the forward pass in inference mode, on batches in memory. The network with fused
kernels and its clone without them take turns. One JSON line per network and precision is added to
`results/fused.jsonl`.
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import PRECISIONS, Line, batch, command, option, rounds, steps
from distiller.report.markdown_table import markdown_table

NAME = "fused.jsonl"
NETWORKS = ("resnet8", "resnet20", "mobilenet_v2")
# With fewer an interval is that of all rounds.
_ROUNDS = 6
_PARTS = {"training": "a training step", "forward": "a forward pass"}


def check(networks: Sequence[str]) -> None:
    """Raise InputError where the backend has no fused kernels, or a network is unknown."""
    import keras

    from distiller import models
    from distiller.errors import InputError
    from distiller.utils.suggestions import unknown

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"Expected the Keras backend to be 'tensorflow'. Received: {keras.backend.backend()!r}")
    for network in networks:
        if network not in models.ZOO:
            raise InputError(unknown("network", network, models.ZOO))


def measure(network: str, precision: str, args: argparse.Namespace) -> dict[str, Any]:
    """Line of a network in a precision: seconds per step of both kinds, and the speed-up of the fused network."""
    from benchmarks.speed.measuring import timing
    from benchmarks.speed.workloads import keras_distillation
    from benchmarks.speed.workloads.setting import Setting

    setting = Setting(network, batch=args.batch, precision=precision)
    makers: dict[str, Callable[[], Callable[[], Any]]] = {}
    for way in ("fused", "bare"):
        prepare = keras_distillation.without_fusing if way == "bare" else keras_distillation.as_built
        networks = [prepare(setting.new_student()) for _ in _PARTS]
        makers[f"training {way}"] = functools.partial(setting.training, networks[0])
        makers[f"forward {way}"] = functools.partial(setting.forward, networks[1])
    title = f"{network} in {precision}"
    seconds = timing.compile_and_time(title, makers, rounds=args.rounds, count=args.steps)
    return {
        "network": network,
        "precision": precision,
        "batch": args.batch,
        "rounds": args.rounds,
        "steps": args.steps,
        "seconds": seconds,
        "times": {
            part: dataclasses.asdict(timing.ratio(seconds[f"{part} bare"], seconds[f"{part} fused"])) for part in _PARTS
        },
    }


def table() -> str:
    """Markdown table of the last line of every network and precision."""
    recorded = lines.read(lines.RESULTS / NAME)
    return of_lines(list({(line["network"], line["precision"]): line for line in recorded}.values()))


def of_lines(found: list[dict[str, Any]]) -> str:
    """Markdown table with a row per line, and how and where they were measured."""
    return markdown_table(
        ("network", "precision", *(f"{part}, × Keras" for part in _PARTS.values()), "images/s, training"),
        [_row(line) for line in found],
        [f"- {note}" for note in dict.fromkeys(_setting(line) for line in found)],
        text=(0, 1),
    )


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    times = [f"{one['median']:.2f} ({one['low']:.2f} to {one['high']:.2f})" for one in line["times"].values()]
    seconds = sorted(line["seconds"]["training fused"])
    return line["network"], line["precision"], *times, f"{line['batch'] / seconds[len(seconds) // 2]:.0f}"


def _setting(line: dict[str, Any]) -> str:
    return (
        f"Batches of {line['batch']}, medians over {line['rounds']} rounds of {line['steps']} steps each, in turn, "
        f"with intervals. {lines.machine_and_versions(line)}."
    )


def _trial(args: argparse.Namespace) -> str:
    return f"a run of less than {_ROUNDS} rounds" if args.rounds < _ROUNDS else ""


@command(
    option("--networks", nargs="+", default=NETWORKS, metavar="NAME", help="networks of the zoo"),
    option("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS, help="Keras dtype policies"),
    batch(64),
    rounds(9),
    steps(4),
    results=NAME,
    show=of_lines,
    trial=_trial,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """One line per network and precision."""
    check(args.networks)
    for network in args.networks:
        for precision in args.precisions:
            yield [measure(network, precision, args)]


if __name__ == "__main__":
    sys.exit(main())
