"""Where the time of a step goes: TensorFlow's own profile of plain training, with a live teacher, quantization-aware.

    python -m benchmarks.speed.step_profile --precision mixed_bfloat16

One JSON line a step is added to `results/step_profile.jsonl`: for each kind of operator its runs a step and how long
they take, from begin to end; an operator may use all cores, and several may run at a time.
"""

import argparse
import dataclasses
import datetime
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.arguments import whole
from benchmarks.markdown import Row, markdown

NAME = "step_profile.jsonl"
HEAD: Row = ("step", "operator", "runs", "ms", "share, %")
SHOWN = 8
_PLANE = "/host:CPU"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.step_profile",
        description="Profile a step of plain training, of the Distiller and of quantization-aware training.",
    )
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="(%(default)s)")
    parser.add_argument("--steps", type=whole, default=20, help="profiled (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="small networks, to try the command out")
    parser.add_argument("--out", type=Path, default=lines.RESULTS / NAME, help="file to add the lines to")
    asked = parser.parse_args(arguments)
    if asked.tiny and asked.out == lines.RESULTS / NAME:
        parser.error("a tiny run is no result: give --out another file")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend

    load_backend()
    from benchmarks.speed.contestants import aware, distillers, references
    from benchmarks.speed.setting import Setting
    from distiller.provenance import provenance

    tiny = dataclasses.replace(Setting.tiny(), eager=False)
    setting = tiny if asked.tiny else Setting(precision=asked.precision)
    here = {
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **provenance(),
        "arguments": {**dataclasses.asdict(setting), "steps": asked.steps},
    }
    found = [
        {"step": one.name, "operators": profile(one.make(setting), asked.steps), **here}
        for one in (references()[0], *distillers(["hinton"]), aware())
    ]
    lines.append(asked.out, found)
    print(table(asked.out))
    return 0


def profile(step: Callable[[], Any], steps: int) -> dict[str, dict[str, float]]:
    """Kind of operator → `runs` and `ms` a step; the step is warm before."""
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
    """The operators of a profile in TensorFlow's XSpace format, the longest first.

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
    """The last profile in each precision, in Markdown: the operators that take longest, and all others as one."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    last = {line["arguments"]["precision"]: line["run"] for line in recorded}
    rows = [row for line in recorded if line["run"] in last.values() for row in _rows(line)]
    return markdown(HEAD, rows) if rows else ""


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


if __name__ == "__main__":
    sys.exit(main())
