"""Profile of a training step by operator, by TensorFlow: plain, with a live teacher, and quantization-aware.

    python -m benchmarks.speed.step_profile --precision mixed_bfloat16

One JSON line per step is added to `results/step_profile.jsonl`: for each kind of operator its runs per step and their
duration from begin to end; an operator may use all cores, and several may run at a time.
"""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, command, option, positive, precision, progress, tiny
from distiller.report.markdown_table import Row, markdown_table

NAME = "step_profile.jsonl"
HEAD: Row = ("step", "operator", "runs", "ms", "share, %")
SHOWN = 8
_PLANE = "/host:CPU"


def profile(step: Callable[[], Any], steps: int) -> dict[str, dict[str, float]]:
    """Kind of operator → `runs` and `ms` per step; the step is warmed up before."""
    import tensorflow as tf

    for _ in range(3):
        step()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                step()
        (file,) = Path(folder).rglob("*.xplane.pb")
        return operators(file.read_bytes(), steps)


def operators(content: bytes, steps: int) -> dict[str, dict[str, float]]:
    """Operators of a profile in TensorFlow's XSpace format, the longest first.

    An event of an operator is called "name:kind"; everything else holds operators, waits for them or makes batches.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(content)
    found: dict[str, dict[str, float]] = {}
    for plane in space.planes:
        if plane.name != _PLANE:
            continue
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if not name or name.endswith(":") or not kind.isidentifier():  # "Iterator::Prefetch" is no operator
                continue
            own = found.setdefault(kind.removeprefix("_MklNative"), {"runs": 0.0, "ms": 0.0})
            own["runs"] += 1 / steps
            own["ms"] += event.duration_ps / 1e9 / steps
    return dict(sorted(found.items(), key=lambda item: -item[1]["ms"]))


def table(path: Path | None = None) -> str:
    """Markdown table of the last profile in each precision."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    last = {line["arguments"]["precision"]: line["run"] for line in recorded}
    return table_of([line for line in recorded if line["run"] in last.values()])


def table_of(found: list[Line]) -> str:
    """Markdown table of some lines: the operators that take longest, and all others as one row."""
    return markdown_table(HEAD, [row for line in found for row in _rows(line)])


def _rows(line: dict[str, Any]) -> list[Row]:
    step = f"{line['step']}, {line['arguments']['precision']}"
    kinds = list(line["operators"].items())
    rest = [own for _, own in kinds[SHOWN:]]
    others = {key: sum(own[key] for own in rest) for key in ("runs", "ms")}
    total = sum(own["ms"] for _, own in kinds)
    return [
        (step, kind, f"{own['runs']:.0f}", f"{own['ms']:.2f}", f"{100 * own['ms'] / total:.1f}")
        for kind, own in [*kinds[:SHOWN], ("all others", others)]
    ]


@command(
    precision("float32"),
    option("--steps", type=positive, default=20, metavar="N", help="profiled steps"),
    tiny(),
    results=NAME,
    show=table_of,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per step that is profiled."""
    from benchmarks.speed.workloads.setting import Setting
    from benchmarks.speed.workloads.training_steps import aware, distillers, references

    small = dataclasses.replace(Setting.tiny(), eager=False)
    setting = small if args.tiny else Setting(precision=args.precision)
    asked = {**dataclasses.asdict(setting), "steps": args.steps}
    workloads = (references()[0], *distillers(["hinton"]), aware())
    found = []
    with progress("profile", len(workloads)) as task:
        for place, one in enumerate(workloads, start=1):
            task.say(one.name)
            found.append({"step": one.name, "operators": profile(one.make(setting), args.steps), "arguments": asked})
            task.advance_to(place)
    return found


if __name__ == "__main__":
    sys.exit(main())
