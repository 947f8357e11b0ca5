"""Profile of a student's step in PyTorch and here, by kind of work.

    pip install torch --index-url https://download.pytorch.org/whl/cpu
    python -m benchmarks.speed.torch_profile

Each framework has a process of its own and its own profiler; they take turns. Operators are summed by kind of
work; time of a step that no operator accounts for is between them. Both call oneDNN for the convolutions, whose verbose
output names its kernels. One JSON line per framework is added to `results/torch_profile.jsonl`.
"""

import argparse
import functools
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.shell import Line, batch, command, option, positive, precision, progress, rounds
from benchmarks.speed.measuring import onednn
from benchmarks.speed.torch_peers import DEPTHS, LOOPS, OURS, THEIRS, torch_version
from distiller.errors import WorkError
from distiller.report.markdown_table import Row, markdown_table
from tflite.benchmarking.intervals import median_interval

NAME = "torch_profile.jsonl"
WAYS = {"float32": "float32, channels_last", "mixed_bfloat16": "bfloat16, channels_last"}
HEAD: Row = ("work", "here, ms", "PyTorch, ms", "difference, ms", "interval")
# Operators of both frameworks by kind of work. TensorFlow fuses a ReLU into a normalization where it can.
WORK = {
    "convolutions": {"Conv2D", "FusedConv2D", "mkldnn_convolution"},
    "gradients of convolutions": {"Conv2DBackpropFilter", "Conv2DBackpropInput", "convolution_backward"},
    "normalisation, ReLU": {"FusedBatchNormV3", "FusedBatchNormEx", "Relu", "native_batch_norm", "clamp_min"},
    "gradients of normalisation, ReLU": {
        *("FusedBatchNormGradV3", "ReluGrad"),
        *("native_batch_norm_backward", "threshold_backward"),
    },
}
OTHERS, BETWEEN, STEP = "all other operators", "between operators", "a step, not profiled"
Operators = dict[str, dict[str, float]]


def profile_in_rounds(
    frameworks: dict[str, Callable[[str, int, int], tuple[float, Operators]]],
    args: argparse.Namespace,
    *,
    done: Callable[[int], None] = lambda n: None,
) -> dict[str, dict[str, Any]]:
    """Framework → `seconds` of a step, one number per round, and `operators`: kind → `runs` and `ms`, a list of rounds.

    Args:
        frameworks: name → a function of the precision, the batch and the number of steps that is called in a process
            of the framework's own and returns the seconds of a step and its profile.
        args: `precision`, `batch`, `steps` and `rounds`.
        done: called with the number of measurements so far.

    Raises:
        WorkError: a process failed or ended.
    """
    context, draw, order = multiprocessing.get_context("spawn"), random.Random(0), list(frameworks)
    pools = {name: ProcessPoolExecutor(1, mp_context=context) for name in order}
    seconds: dict[str, list[float]] = {name: [] for name in order}
    profiles: dict[str, list[Operators]] = {name: [] for name in order}
    try:
        for _ in range(args.rounds):
            draw.shuffle(order)
            for name in order:
                call = pools[name].submit(frameworks[name], args.precision, args.batch, args.steps)
                taken, profile = call.result()
                seconds[name].append(taken)
                profiles[name].append(profile)
                done(sum(map(len, seconds.values())))
    except (BrokenProcessPool, RuntimeError, ImportError) as error:
        raise WorkError(f"A process of the benchmark failed: {type(error).__name__}: {error}") from error
    finally:
        for pool in pools.values():
            pool.shutdown()
    return {name: {"seconds": seconds[name], "operators": _by_kind(profiles[name])} for name in frameworks}


def _by_kind(profiles: list[Operators]) -> dict[str, dict[str, Any]]:
    kinds = sorted({kind for profile in profiles for kind in profile})
    none = {"runs": 0.0, "ms": 0.0}
    return {
        kind: {
            "runs": statistics.median(profile.get(kind, none)["runs"] for profile in profiles),
            "ms": [round(profile.get(kind, none)["ms"], 4) for profile in profiles],
        }
        for kind in kinds
    }


def ours(precision: str, batch: int, steps: int) -> tuple[float, Operators]:
    """Seconds of a step here, and TensorFlow's profile of it."""
    from benchmarks.speed.step_profile import profile

    step = our_step(precision, batch)
    return _seconds(step, steps), profile(step, steps)


@functools.cache
def our_step(precision: str, batch: int) -> Callable[[], Any]:
    """A step of the student alone here, compiled at its first call."""
    from distiller.utils.backend import load_backend

    load_backend()
    import keras

    from benchmarks.speed.workloads import training_steps
    from benchmarks.speed.workloads.setting import Setting

    step = training_steps.references()[0].make(Setting(precision=precision, batch=batch))
    return lambda: [float(number) for number in keras.tree.flatten(step())]


def theirs(precision: str, batch: int, steps: int) -> tuple[float, Operators]:
    """Seconds of a step of PyTorch's, and its profile: time in the operators themselves, not in those they call."""
    from torch.profiler import ProfilerActivity, profile

    step = their_step(precision, batch)
    seconds = _seconds(step, steps)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(steps):
            step()
    return seconds, {
        event.key.removeprefix("aten::"): {"runs": event.count / steps, "ms": event.self_cpu_time_total / 1000 / steps}
        for event in recorded.key_averages()
        if event.key.startswith("aten::")  # the others are wrappers around operators
    }


@functools.cache
def their_step(precision: str, batch: int) -> Callable[[], Any]:
    """A step of the student alone in PyTorch."""
    from benchmarks.speed.workloads import torch_loops
    from benchmarks.speed.workloads.setting import Setting

    depths = DEPTHS[Setting.student], DEPTHS[Setting.teacher]
    return torch_loops.steps(*depths, batch)[f"{LOOPS[0]}; {WAYS[precision]}"]


def _seconds(step: Callable[[], Any], steps: int) -> float:
    for _ in range(3):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def time_by_work(line: dict[str, Any]) -> dict[str, list[float]]:
    """Kind of work → ms per step, one number per round, of a recorded line; the parts add up to the step."""
    step = [1000 * seconds for seconds in line["seconds"]]
    operators = {kind: own["ms"] for kind, own in line["operators"].items()}
    found = {name: _sum(len(step), [operators.pop(kind, []) for kind in kinds]) for name, kinds in WORK.items()}
    found[OTHERS] = _sum(len(step), list(operators.values()))
    found[BETWEEN] = [whole - sum(parts) for whole, *parts in zip(step, *found.values(), strict=True)]
    return {**found, STEP: step}


def _sum(rounds: int, several: list[list[float]]) -> list[float]:
    return [sum(ms) for ms in zip([0.0] * rounds, *filter(None, several), strict=True)]


def table(path: Path | None = None) -> str:
    """Markdown tables of the last run of each precision on each machine in `path`, the recorded results by default."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    last = {(line["machine"]["processor"], line["arguments"]["precision"]): line["run"] for line in recorded}
    return "\n\n".join(table_of_run([line for line in recorded if line["run"] == run]) for run in last.values())


def table_of_run(run: list[Line]) -> str:
    """Markdown table of one run: a row per kind of work."""
    by_name = {line["framework"]: line for line in run}
    here, there = (time_by_work(by_name[name]) for name in (OURS, THEIRS))
    args = run[0]["arguments"]
    note = (
        f"- {args['precision']}; {WAYS[args['precision']]} in PyTorch. Medians over {args['rounds']} rounds of "
        f"{args['steps']} steps of {args['batch']} images. {lines.machine_and_versions(run[0])}."
    )
    return markdown_table(
        HEAD,
        [_row(name, here[name], there[name]) for name in here],
        [f"- {onednn.compare_convolutions(by_name[OURS]['onednn'], by_name[THEIRS]['onednn'], 'PyTorch')}", note],
        text=(0,),
    )


def _row(name: str, own: list[float], other: list[float]) -> Row:
    differences = [a - b for a, b in zip(own, other, strict=True)]
    interval = median_interval(differences, 0.95)  # None of fewer than six
    low, high = (interval.low, interval.high) if interval else (min(differences), max(differences))
    medians = (statistics.median(own), statistics.median(other), statistics.median(differences))
    return (name, *(f"{median:.2f}" for median in medians), f"{low:.2f} to {high:.2f}")


@command(
    precision("mixed_bfloat16"),
    batch(128),
    rounds(11),
    option("--steps", type=positive, default=10, metavar="N", help="steps per profile"),
    results=NAME,
    show=table_of_run,
    backend=False,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per framework."""
    here = {
        "torch": torch_version(),
        "arguments": {key: value for key, value in vars(args).items() if key != "results"},
    }
    with progress("PyTorch", 2 * args.rounds) as task:
        task.say("compiling")
        makers = {OURS: our_step, THEIRS: their_step}
        kernels = {name: onednn.kernels_of_step(make, args.precision, args.batch) for name, make in makers.items()}
        found = profile_in_rounds({OURS: ours, THEIRS: theirs}, args, done=task.advance_to)
    return [{"framework": name, **measured, "onednn": kernels[name], **here} for name, measured in found.items()]


if __name__ == "__main__":
    sys.exit(main())
