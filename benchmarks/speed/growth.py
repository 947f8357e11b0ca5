"""Growth of the cost of a step with the number of classes, the image size, the batch size and the data.

    python -m benchmarks.speed.growth

A plain step of the student, one with a live teacher, and a batch of the input pipeline, each beside the same in the
usual setting, timed in turn. One JSON line per workload is added to `results/growth.jsonl`.
"""

import argparse
import dataclasses
import functools
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, rounds, steps, tiny
from distiller.report.markdown_table import Row, markdown_table

if TYPE_CHECKING:
    from benchmarks.speed.workloads.setting import Setting

NAME = "growth.jsonl"
USUAL = "usual"
HEAD: Row = ("step", "setting", "× the usual", "interval", "× an image")
_GROWN: dict[str, tuple[int, ...]] = {"classes": (100, 1000), "size": (64, 96), "batch": (32, 512)}
_IMAGES = (4_096, 409_600)


def growing_workloads(base: "Setting") -> Iterator[tuple[str, str, int, Callable[[], Callable[[], Any]]]]:
    """Step, setting in words, images per step, and builder of the step; of each step the usual setting first."""
    from benchmarks.speed.workloads import input_pipeline, names, training_steps

    live = training_steps.distillers(["hinton"])
    for one in (training_steps.references()[0], *live):
        yield one.name, USUAL, base.batch, functools.partial(one.make, base)
        for name, values in _GROWN.items():
            for value in values:
                change: dict[str, Any] = {name: value}
                grown = dataclasses.replace(base, **change)
                yield one.name, f"{name} {value}", grown.batch, functools.partial(one.make, grown)
    for count in _IMAGES:
        setting = USUAL if count == _IMAGES[0] else f"images {count}"
        yield names.BATCHES, setting, base.batch, functools.partial(input_pipeline.pipeline, base, count)


def table(path: Path | None = None) -> str:
    """Markdown table of the last recorded run."""
    return table_of_run(lines.last_run(lines.RESULTS / NAME if path is None else path))


def table_of_run(run: list[Line]) -> str:
    """Markdown table of one run: a row per step and setting."""
    from benchmarks.speed.measuring import timing

    usual = {line["step"]: line for line in run if line["setting"] == USUAL}
    rows = []
    for line in run:
        own = usual[line["step"]]
        if line is own:
            rows.append((line["step"], _setting(line), f"{1000 * statistics.median(own['seconds']):.1f} ms", "", ""))
            continue
        ratio = timing.ratio(line["seconds"], own["seconds"])
        interval = f"{ratio.low:.2f}–{ratio.high:.2f}"
        an_image = ratio.median * own["images"] / line["images"]
        rows.append((line["step"], line["setting"], f"{ratio.median:.2f}", interval, f"{an_image:.2f}"))
    return markdown_table(HEAD, rows, [f"- {lines.machine_and_versions(run[0])}."])


def _setting(line: dict[str, Any]) -> str:
    asked = line["arguments"]
    return f"usual: classes {asked['classes']}, size {asked['size']}, batch {asked['batch']}"


@command(rounds(11), steps(4), tiny(), results=NAME, show=table_of_run)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per step and setting."""
    from benchmarks.speed.measuring import timing
    from benchmarks.speed.workloads.setting import Setting

    base, count, per_round = (Setting.tiny(), 1, 1) if args.tiny else (Setting(), args.rounds, args.steps)
    workloads = {
        f"{step}, {setting}": (step, setting, images, make) for step, setting, images, make in growing_workloads(base)
    }
    makers = {name: make for name, (*_, make) in workloads.items()}
    seconds = timing.compile_and_time("growth", makers, rounds=count, count=per_round)
    asked = {**dataclasses.asdict(base), "rounds": count, "steps": per_round}
    return [
        {"step": step, "setting": setting, "images": images, "seconds": seconds[name], "arguments": asked}
        for name, (step, setting, images, _) in workloads.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
