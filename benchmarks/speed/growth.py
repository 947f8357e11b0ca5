"""How the cost of a step grows with the number of classes, the size of the images, the batch and the data.

    python -m benchmarks.speed.growth

A plain step of the student, one with a live teacher, and a batch of the input pipeline, each beside the same with the
usual setting: they take turns, in rounds. One JSON line a contestant is added to `results/growth.jsonl`.
"""

import argparse
import dataclasses
import datetime
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import lines
from benchmarks.arguments import whole
from benchmarks.markdown import Row, markdown

if TYPE_CHECKING:
    from benchmarks.speed.setting import Setting

NAME = "growth.jsonl"
USUAL = "usual"
HEAD: Row = ("step", "setting", "× the usual", "interval", "× an image")
_GROWN: dict[str, tuple[int, ...]] = {"classes": (100, 1000), "size": (64, 96), "batch": (32, 512)}
_IMAGES = (4_096, 409_600)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.growth",
        description="Time steps of training in settings that grow, taking turns, and record one JSON line each.",
        epilog="example: python -m benchmarks.speed.growth --rounds 3 --out runs/growth.jsonl",
    )
    parser.add_argument("--rounds", type=whole, default=11, help="measurements of each (%(default)s)")
    parser.add_argument("--steps", type=whole, default=4, help="steps a measurement (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="small networks, one step of each, to try the command out")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the lines to")
    asked = parser.parse_args(arguments)
    if asked.tiny and asked.out == lines.RESULTS / NAME:
        parser.error("a tiny run is no result: give --out another file")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend

    load_backend()
    from benchmarks.speed import timing
    from benchmarks.speed.setting import Setting
    from distiller.progress import Reporter
    from distiller.provenance import provenance

    base, rounds, steps = (Setting.tiny(), 1, 1) if asked.tiny else (Setting(), asked.rounds, asked.steps)
    contestants = list(growing(base))
    here = {
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **provenance(),
        "arguments": {**dataclasses.asdict(base), "rounds": rounds, "steps": steps},
    }
    ready: dict[tuple[str, str], Callable[[], Any]] = {}
    with Reporter().task("growth", len(contestants) * (1 + rounds)) as task:
        for place, (step, setting, _, make) in enumerate(contestants, start=1):
            task.say(f"compiling {step}, {setting}")
            ready[step, setting] = make()
            timing.wait(ready[step, setting]())
            task.advance_to(place)
        task.say("taking turns")
        taken = timing.in_turn(
            {"\n".join(key): value for key, value in ready.items()},
            rounds=rounds,
            count=steps,
            done=lambda number: task.advance_to(len(contestants) + number),
        )
    found = [
        {"step": step, "setting": setting, "images": images, "seconds": taken[f"{step}\n{setting}"], **here}
        for step, setting, images, _ in contestants
    ]
    lines.append(asked.out, found)
    print(table(asked.out))
    return 0


def growing(base: "Setting") -> Iterator[tuple[str, str, int, Callable[[], Callable[[], Any]]]]:
    """The step, the setting in words, images a step, and what makes the step; of each step the usual setting first."""
    from functools import partial

    from benchmarks.speed import contestants, feeding

    live = contestants.distillers(["hinton"])
    for one in (contestants.references()[0], *live):
        yield one.name, USUAL, base.batch, partial(one.make, base)
        for name, values in _GROWN.items():
            for value in values:
                change: dict[str, Any] = {name: value}
                grown = dataclasses.replace(base, **change)
                yield one.name, f"{name} {value}", grown.batch, partial(one.make, grown)
    for count in _IMAGES:
        setting = USUAL if count == _IMAGES[0] else f"images {count}"
        yield feeding.BATCHES, setting, base.batch, partial(feeding.pipeline, base, count)


def table(path: Path | None = None) -> str:
    """The last recorded run, in Markdown."""
    from benchmarks.speed import timing

    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    if not recorded:
        return ""
    last = [line for line in recorded if line["run"] == recorded[-1]["run"]]
    usual = {line["step"]: line for line in last if line["setting"] == USUAL}
    rows = []
    for line in last:
        own = usual[line["step"]]
        if line is own:
            rows.append((line["step"], _in_words(line), f"{1000 * statistics.median(own['seconds']):.1f} ms", "", ""))
            continue
        ratio = timing.ratio(line["seconds"], own["seconds"])
        interval = f"{ratio.low:.2f}–{ratio.high:.2f}"
        an_image = ratio.median * own["images"] / line["images"]
        rows.append((line["step"], line["setting"], f"{ratio.median:.2f}", interval, f"{an_image:.2f}"))
    return markdown(HEAD, rows, [f"- {lines.machine_and_versions(last[0])}."])


def _in_words(line: dict[str, Any]) -> str:
    asked = line["arguments"]
    return f"usual: classes {asked['classes']}, size {asked['size']}, batch {asked['batch']}"


if __name__ == "__main__":
    sys.exit(main())
