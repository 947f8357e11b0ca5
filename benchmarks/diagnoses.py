"""Diagnosis of the teachers of an experiment, as `distiller diagnose` makes it, before their students are evaluated.

    python -m benchmarks.run label_smoothing --data-dir DIR
    python -m benchmarks.diagnoses label_smoothing --data-dir DIR

Every fine-tuned copy of a run is diagnosed on the validation split. One JSON line per teacher is added to
`results/NAME_diagnoses.jsonl`.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import experiments, run
from benchmarks.results import lines
from benchmarks.shell import Line, command, data_dir, option, progress, work
from distiller.report.markdown_table import Row, markdown_table

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe

HEAD: Row = (
    "teacher of",
    "validation",
    "smoothed?",
    "ceiling of log-odds",
    "evenness",
    "mutual information, nats",
    "calibration error",
    "suggested temperature",
)


def diagnoses(name: str, work: Path, data_dir: Path | None) -> list[dict[str, Any]]:
    """One line per fine-tuned teacher of an experiment, from its finished runs."""
    experiment, found = experiments.read(name), []
    with progress("diagnoses", len(experiment.variants)) as task:
        for place, variant in enumerate(experiment.variants, start=1):
            recipe = experiment.recipe_of(variant, tiny=False)
            for line in _of_run(recipe, run.run_folder(work, name, variant), data_dir):
                found.append({"experiment": name, "variant": variant, **line})
            task.advance_to(place)
    return found


def _of_run(recipe: "RunRecipe", folder: Path, data_dir: Path | None) -> Iterator[dict[str, Any]]:
    """Arms, bridge and diagnosis of every fine-tuned teacher of a run."""
    from distiller import teachers
    from distiller.data import Augmentation
    from distiller.errors import InputError
    from distiller.recipes.bridges import FineTuneBridge
    from distiller.runs.bridges import RecipeBridges, asked_bridges
    from distiller.runs.building import load_data

    dataset = load_data(recipe.data, data_dir)
    for stage, section in RecipeBridges(asked_bridges(recipe), dataset.classes, lambda: None).to_fit.items():
        if not isinstance(section, FineTuneBridge):
            continue
        file = folder / "stages" / f"{stage}-{recipe.bridge_seeds[0]}" / "network.keras"
        if not file.is_file():
            raise InputError(
                f"Expected a finished run in {str(folder)!r}, as benchmarks.run makes it. Received: no {str(file)!r}"
            )
        plan = section.training
        diagnosis = teachers.diagnose(
            teachers.load(file),
            dataset.validation,
            classes=dataset.classes,
            augmentation=Augmentation(plan.crop, plan.flip) if plan.crop or plan.flip else None,
        )
        yield {
            "arms": [arm for arm in recipe.arms if section in recipe.bridges_of(arm).values()],
            "bridge": section.model_dump(mode="json"),
            "diagnosis": dataclasses.asdict(diagnosis),
        }


def table(name: str) -> str:
    """Markdown table of the diagnoses of an experiment: a row per teacher, and the concerns about it."""
    # Of a teacher that was diagnosed again, the last line.
    found = {(line["variant"], *line["arms"]): line for line in lines.read(lines.RESULTS / f"{name}.jsonl")}
    recorded = list(found.values())
    sentences = [f"- {_arms(line)}: {concern}" for line in recorded for concern in line["diagnosis"]["concerns"]]
    return markdown_table(HEAD, [_row(line) for line in recorded], sentences)


def _arms(line: dict[str, Any]) -> str:
    return ", ".join(arm.replace("_", " ") for arm in line["arms"])


def _row(line: dict[str, Any]) -> Row:
    said = line["diagnosis"]
    smoothing = said["smoothing"]
    return (
        _arms(line),
        f"{100 * said['accuracy']:.2f}",
        smoothing["verdict"],
        *("" if smoothing[mark] is None else f"{smoothing[mark]:.2f}" for mark in ("ceiling", "evenness")),
        f"{said['mutual_information']['nats']:.2f}",
        f"{100 * said['calibration']['error']:.1f}",
        f"{said['soft_targets']['suggested_temperature']:.1f}",
    )


@command(
    option("experiment", metavar="EXPERIMENT", help="experiment whose students are trained already"),
    data_dir(),
    work(),
    results="{experiment}_diagnoses.jsonl",
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line per fine-tuned teacher."""
    return diagnoses(args.experiment, args.work, args.data_dir)


if __name__ == "__main__":
    sys.exit(main())
