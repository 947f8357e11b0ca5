"""What a step of distillation costs: every objective, the teacher alone and `keras.distillation`, in one run.

    taskset -c 0,1 python -m benchmarks.speed.step_cost
    python -m benchmarks.speed.step_cost --precision mixed_bfloat16

All contestants are compiled first and take turns then, in rounds, so that the machine's moods fall on all of them
alike. Times are of the function that `fit` calls for each batch, on batches in memory: no input pipeline, no callbacks.
"""

import argparse
import dataclasses
import datetime
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import lines
from benchmarks.arguments import whole

if TYPE_CHECKING:
    from benchmarks.speed.contestants import Contestant
    from benchmarks.speed.setting import Setting
    from distiller.progress import Reporter

EXAMPLE = "example: python -m benchmarks.speed.step_cost --objectives hinton hint --rounds 5 --out runs/step_cost.jsonl"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    asked = _parsed(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend

    load_backend()
    from distiller.errors import InputError, WorkError

    try:
        run = measured(asked)
    except (InputError, WorkError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    show(run)
    lines.append(asked.out, run)
    return 0


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.step_cost",
        description="Time a step of every objective, of the teacher alone and of keras.distillation, taking turns, and "
        "record one JSON line a contestant and a goal.",
        epilog=EXAMPLE,
    )
    default = lines.RESULTS / "step_cost.jsonl"
    parser.add_argument("--student", default="resnet8", help="network of the zoo (%(default)s)")
    parser.add_argument("--teacher", default="resnet20", help="network of the zoo (%(default)s)")
    parser.add_argument("--batch", type=whole, default=128, help="images a step (%(default)s)")
    parser.add_argument("--rounds", type=whole, default=15, help="measurements of each contestant (%(default)s)")
    parser.add_argument("--steps", type=whole, default=8, help="steps a measurement (%(default)s)")
    parser.add_argument("--objectives", nargs="+", metavar="NAME", help="these alone; all by default")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=default, help="file to add the lines to (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="small networks, one step of each, to try the command out")
    asked = parser.parse_args(arguments)
    if asked.out == default and (asked.tiny or asked.objectives):
        parser.error("a run that is tiny or of some objectives is no result: give --out another file")
    return asked


def measured(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The lines of a run: one a contestant, with its times, and one a goal.

    Raises:
        InputError: the backend, the networks or the objectives asked for do not fit.
        WorkError: a step returned something that is no number.
    """
    import keras

    from benchmarks.speed import contestants, feeding, goals, peers
    from benchmarks.speed.setting import Setting
    from distiller.errors import InputError
    from distiller.progress import Reporter
    from distiller.provenance import provenance

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"Expected the Keras backend to be 'tensorflow'. Received: {keras.backend.backend()!r}")
    setting = Setting(asked.student, asked.teacher, asked.batch, asked.precision)
    rounds, steps = asked.rounds, asked.steps
    if asked.tiny:
        setting, rounds, steps = Setting.tiny(), 1, 1
    here = {
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **provenance(),
        "arguments": {**dataclasses.asdict(setting), "rounds": rounds, "steps": steps},
    }
    reporter = Reporter()
    ours = [*contestants.references(), *contestants.distillers(asked.objectives)]
    if any(one.name == "hinton" for one in ours):
        ours += [contestants.stored(), *contestants.frozen()]
    field = [*ours, contestants.aware(), *feeding.feeding(), *peers.peers(setting)]
    if not peers.agree(setting):
        reporter.say(f"keras.distillation has no line for features: those of {contestants.MIDDLE} differ in shape")
    seconds = timed(field, setting, rounds, steps, reporter)
    lines_of = [
        {"kind": one.kind, "contestant": one.name, "places": one.places, "seconds": seconds[one.name], **here}
        for one in field
    ]
    for goal, found in goals.judged(seconds):
        ratio = dataclasses.asdict(found)
        lines_of.append({"kind": "goal", "goal": goal.text, "limit": goal.limit, "ratio": ratio, **here})
    return lines_of


def timed(field: "list[Contestant]", setting: "Setting", rounds: int, steps: int, reporter: "Reporter"):
    """Seconds a step, by contestant, one number a round; all are compiled before the first is timed."""
    from benchmarks.speed import timing

    ready: dict[str, Callable[[], Any]] = {}
    with reporter.task("step cost", len(field) * (1 + rounds)) as task:
        for place, one in enumerate(field, start=1):
            task.say(f"compiling {one.name}")
            ready[one.name] = one.make(setting)
            timing.wait(ready[one.name]())
            task.advance_to(place)
        task.say("taking turns")
        done = len(field)
        return timing.in_turn(ready, rounds=rounds, count=steps, done=lambda number: task.advance_to(done + number))


def show(run: list[dict[str, Any]]) -> None:
    """Print the table of a run, and how the goals stand."""
    from rich.console import Console
    from rich.table import Table

    from benchmarks.speed import step_cost_table

    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(step_cost_table.HEAD):
        table.add_column(heading, justify="left" if place < 2 else "right", no_wrap=place > 1)
    for row in step_cost_table.rows(run):
        table.add_row(*row)
    console = Console(soft_wrap=True)
    console.print(table)
    for note in step_cost_table.notes(run):
        console.print(note, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
