"""A step of the Distiller beside a training loop in PyTorch, as torchdistill and RepDistiller have it.

    pip install torch --index-url https://download.pytorch.org/whl/cpu
    python -m benchmarks.speed.torch_peers

The same networks, batch, loss and optimizer: alone, with a live teacher, and on cached teacher outputs. Each framework
has a process of its own and each precision and memory format is tried, in turn. The fastest of each framework are
compared. One JSON line per workload is added to `results/torch_peers.jsonl`.
"""

import argparse
import statistics
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import PRECISIONS, Line, batch, command, option, progress, rounds, steps
from benchmarks.speed.measuring.timing import ratio
from distiller.report.markdown_table import Row, markdown_table

NAME = "torch_peers.jsonl"
DEPTHS = {"resnet8": 8, "resnet20": 20, "resnet32": 32, "resnet56": 56}
LOOPS = ("student", "logits", "logits, stored answers")
OURS, THEIRS = "distiller", "torch"
FROZEN = "frozen teacher"
HEAD: Row = ("step", "× PyTorch", "interval", "ms", "PyTorch, ms", "way", "PyTorch's way")


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Lines of a run: one per workload.

    Raises:
        InputError: PyTorch is not installed.
        WorkError: a step failed, or the networks of the two frameworks are not the same.
    """
    from benchmarks.speed.measuring.workers import Worker, time_in_rounds

    here = {
        "torch": torch_version(),
        "arguments": {key: value for key, value in vars(args).items() if key != "results"},
    }
    networks = (args.student, args.teacher, args.batch)
    with (
        progress("PyTorch", (len(PRECISIONS) * (len(LOOPS) + 1) + 4 * len(LOOPS)) * args.rounds) as task,
        Worker(ours, *networks) as first,
        Worker(theirs, *networks) as second,
    ):
        task.say("compiling")
        seconds = time_in_rounds(
            {OURS: first, THEIRS: second}, rounds=args.rounds, count=args.steps, done=task.advance_to
        )
    return [{"contestant": name, "seconds": found, **here} for name, found in seconds.items()]


def torch_version() -> str:
    """Version of PyTorch; InputError where it is not installed."""
    from distiller.errors import InputError

    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        raise InputError(
            "Expected PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"
        ) from None


def ours(student: str, teacher: str, batch: int) -> dict[str, Any]:
    """The steps of this package in every precision, by "loop; precision"."""
    from distiller.utils.backend import load_backend

    load_backend()
    import keras

    from benchmarks.speed.workloads import names, training_steps
    from benchmarks.speed.workloads.setting import Setting

    loops = {
        names.STUDENT: LOOPS[0],
        "hinton": LOOPS[1],
        names.FROZEN: LOOPS[1],
        names.STORED: LOOPS[2],
    }
    made = {}
    for precision in PRECISIONS:
        setting = Setting(student, teacher, batch, precision)
        for one in (
            training_steps.references()[0],
            *training_steps.distillers(["hinton"]),
            training_steps.frozen()[0],
            training_steps.stored(),
        ):
            step, way = one.make(setting), precision + (f", {FROZEN}" if one.name == names.FROZEN else "")
            made[f"{loops[one.name]}; {way}"] = lambda step=step: keras.tree.flatten(step())
    return made


def theirs(student: str, teacher: str, batch: int) -> dict[str, Any]:
    """PyTorch's, by "loop; way"; WorkError unless its networks have the zoo's parameters and multiply-adds."""
    from benchmarks.speed.workloads import torch_loops
    from distiller import models
    from distiller.errors import WorkError

    for name in (student, teacher):
        network = models.build(name, torch_loops.CLASSES)
        expected = models.parameters(network), models.multiply_adds(network)
        if torch_loops.size(DEPTHS[name]) != expected:
            raise WorkError(
                f"{name}: expected (parameters, multiply-adds) {expected} of PyTorch's network, "
                f"received {torch_loops.size(DEPTHS[name])}"
            )
    return torch_loops.steps(DEPTHS[student], DEPTHS[teacher], batch)


def compare_fastest(run: list[dict[str, Any]]) -> list[tuple[str, Any, dict[str, Any], dict[str, Any]]]:
    """(Loop, ratio of our times to theirs, our line, their line), where each line is the fastest of its framework.

    A loop with a live teacher is there twice: the fastest way, and without freezing the teacher, as in PyTorch.
    """

    def fastest(framework: str, loop: str, *, frozen: bool = True) -> dict[str, Any]:
        of_loop = [
            line
            for line in run
            if line["contestant"].startswith(f"{framework}: {loop}; ") and (frozen or FROZEN not in line["contestant"])
        ]
        return min(of_loop, key=lambda line: statistics.median(line["seconds"]))

    pairs = []
    for loop in LOOPS:
        own, other = fastest(OURS, loop), fastest(THEIRS, loop)
        if FROZEN in own["contestant"]:
            pairs.append((loop, fastest(OURS, loop, frozen=False), other))
        pairs.append((loop, own, other))
    return [(loop, ratio(own["seconds"], other["seconds"]), own, other) for loop, own, other in pairs]


def table(path: Path | None = None) -> str:
    """Markdown tables of the last run of each pair of networks on each machine in `path`, by default the results."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    last = {
        (line["machine"]["processor"], line["arguments"]["student"], line["arguments"]["teacher"]): line["run"]
        for line in recorded
    }
    return "\n\n".join(table_of_run([line for line in recorded if line["run"] == run]) for run in last.values())


def table_of_run(run: list[Line]) -> str:
    """Markdown table of one run: a row per loop."""
    rows = [_row(*one) for one in compare_fastest(run)]
    args = run[0]["arguments"]
    note = (
        f"- {args['batch']} images a step, {args['student']} from {args['teacher']}; medians over {args['rounds']} "
        f"rounds of {args['steps']} steps. {lines.machine_and_versions(run[0])}."
    )
    return markdown_table(HEAD, rows, [note], text=(0, 5, 6))


def _row(loop: str, found: Any, own: dict[str, Any], other: dict[str, Any]) -> Row:
    way, their_way = (line["contestant"].split("; ")[1] for line in (own, other))
    times = (f"{1000 * statistics.median(line['seconds']):.1f}" for line in (own, other))
    return (loop, f"{found.median:.2f}", f"{found.low:.2f} to {found.high:.2f}", *times, way, their_way)


@command(
    option("--student", default="resnet8", choices=DEPTHS, help="network of the zoo"),
    option("--teacher", default="resnet20", choices=DEPTHS, help="network of the zoo"),
    batch(128),
    rounds(15),
    steps(8),
    results=NAME,
    show=table_of_run,
    passed=lambda run: all(found.median <= 1 for _, found, *_ in compare_fastest(run)),
    backend=False,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per workload; the exit code is 1 where PyTorch is ahead."""
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
