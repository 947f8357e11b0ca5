"""Cost of a distillation step: every objective, the teacher alone and `keras.distillation`, in one run.

    taskset -c 0,1 python -m benchmarks.speed.step_cost
    python -m benchmarks.speed.step_cost --precision mixed_bfloat16

All workloads are compiled first and then timed in rounds, in a random order, so that disturbances of the machine affect
all of them alike. Times are of the function that `fit` calls for each batch, on batches in memory: no input
pipeline, no callbacks.
"""

import argparse
import dataclasses
import functools
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.shell import Line, batch, command, option, precision, rounds, steps, tiny

if TYPE_CHECKING:
    pass

NAME = "step_cost.jsonl"


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Lines of a run: one per workload, with its times, and one per goal.

    Raises:
        InputError: the backend, the networks or the objectives do not fit.
        WorkError: a step returned a number that is not finite.
    """
    import keras

    from benchmarks.speed.measuring import goals, timing
    from benchmarks.speed.workloads import input_pipeline, keras_distillation, training_steps
    from benchmarks.speed.workloads.setting import Setting
    from distiller.errors import InputError
    from distiller.utils.progress import Reporter

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"Expected the Keras backend to be 'tensorflow'. Received: {keras.backend.backend()!r}")
    setting = Setting(args.student, args.teacher, args.batch, args.precision)
    rounds, steps = args.rounds, args.steps
    if args.tiny:
        setting, rounds, steps = Setting.tiny(), 1, 1
    here = {"arguments": {**dataclasses.asdict(setting), "rounds": rounds, "steps": steps}}
    ours = [*training_steps.references(), *training_steps.distillers(args.objectives)]
    if any(one.name == "hinton" for one in ours):
        ours += [training_steps.stored(), *training_steps.frozen()]
    field = [
        *ours,
        training_steps.aware(),
        *input_pipeline.input_pipelines(),
        *keras_distillation.keras_workloads(setting),
    ]
    if not keras_distillation.features_agree(setting):
        Reporter().say(f"keras.distillation has no line for features: those of {training_steps.MIDDLE} differ in shape")
    makers = {one.name: functools.partial(one.make, setting) for one in field}
    seconds = timing.compile_and_time("step cost", makers, rounds=rounds, count=steps)
    lines_of: list[Line] = [
        {"kind": one.kind, "contestant": one.name, "places": one.places, "seconds": seconds[one.name], **here}
        for one in field
    ]
    for goal, found in goals.judge(seconds):
        ratio = dataclasses.asdict(found)
        lines_of.append({"kind": "goal", "goal": goal.text, "limit": goal.limit, "ratio": ratio, **here})
    return lines_of


def show(run: list[Line]) -> str:
    """Markdown table of a run, and the state of the goals."""
    from benchmarks.documents import step_cost

    return step_cost.table_of_run(run)


def _trial(args: argparse.Namespace) -> str:
    return "a run that is tiny or of some objectives" if args.tiny or args.objectives else ""


@command(
    option("--student", default="resnet8", metavar="NAME", help="network of the zoo"),
    option("--teacher", default="resnet20", metavar="NAME", help="network of the zoo"),
    batch(128),
    rounds(15),
    steps(8),
    option("--objectives", nargs="+", metavar="NAME", help="only these; all by default"),
    precision("float32"),
    tiny(),
    results=NAME,
    show=show,
    trial=_trial,
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per workload and one per goal."""
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
