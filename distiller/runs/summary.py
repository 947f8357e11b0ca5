"""Results of a run, gathered from its stages: the content of `report.json`."""

import csv
import statistics
from pathlib import Path
from typing import Any

import keras

from distiller import data, models
from distiller.recipes.schema import RunRecipe
from distiller.recipes.training import Training
from distiller.runs import fit
from distiller.runs.folder import RunFolder
from distiller.utils.chance import chance

# The stage in which teachers are looked at before they teach.
HELD_OUT = "teacher-held_out"
# Those of the file that is made of the teacher.
TEACHER_FILE, TEACHER_TEST = "export-teacher", "test-teacher"


def summarize(recipe: RunRecipe, dataset: data.Dataset, folder: RunFolder, teacher: keras.Model) -> dict[str, Any]:
    """Accuracies are fractions on the test split, times seconds or milliseconds, sizes bytes; JSON-ready."""
    pairs = [(name, seed) for seed in recipe.seeds for name in recipe.arms]
    tests = {pair: folder.result(f"test-{pair[0]}-{pair[1]}") for pair in pairs}
    fits = {pair: folder.result(f"{pair[0]}-{pair[1]}") for pair in pairs}
    student = models.build(recipe.student.name, len(dataset.classes), dataset.image_shape, **recipe.student.options)
    # The recipe's own bridge speaks for the teacher, where arms have others.
    own = [tests[name, seed]["teacher_accuracy"] for name, seed in pairs if recipe.arms[name].bridge is None]
    size = {"parameters": models.parameters(student), "multiply_adds": models.multiply_adds(student)}
    asked = folder.run()
    return {
        "recipe": recipe.name,
        "summary": recipe.summary,
        "data": {
            "name": dataset.name,
            "classes": list(dataset.classes),
            "train": len(dataset.train),
            "labelled": fits[pairs[0]]["labelled"],
            "validation": len(dataset.validation),
            "test": len(dataset.test),
            "measured_on": recipe.data.measured_on,
            "chance": chance(dataset.test.labels, len(dataset.classes)),
        },
        "budget": {
            **_budget(recipe.training, dataset),
            "seeds": recipe.seeds,
            "others": _others(recipe, dataset),
        },
        "teacher": {
            "name": recipe.teacher.load or teacher.name,
            "accuracy": None if not own or None in own else statistics.fmean(own),
            # Of a teacher of another framework neither is known.
            "parameters": models.parameters(teacher) or None,
            "multiply_adds": models.multiply_adds(teacher, dataset.image_shape) or None,
            "bridge": recipe.bridge.name if recipe.bridge else "none",
            "held_out": _held_out(recipe, folder),
            **_teacher_file(recipe, folder),
        },
        "students": [
            {
                "name": name,
                "seed": seed,
                "accuracy": tests[name, seed]["accuracy"],
                "validation_accuracy": fits[name, seed]["epochs"][-1]["val_accuracy"],
                **size,
                "agreement": tests[name, seed]["agreement"],
                "teacher_accuracy": tests[name, seed]["teacher_accuracy"],
                "bridge": _bridge(recipe, name),
                "seconds": fits[name, seed]["seconds"],
                "provenance": fits[name, seed]["provenance"],
            }
            for name, seed in pairs
        ],
        "tflite": [_file_row(folder, name, seed, scheme) for name, seed in pairs for scheme in recipe.schemes(name)],
        "curves": [{"name": name, "seed": seed, "epochs": fits[name, seed]["epochs"]} for name, seed in pairs],
        **{key: asked[key] for key in ("versions", "machine", "commit", "command")},
    }


def _held_out(recipe: RunRecipe, folder: RunFolder) -> dict[str, Any] | None:
    """Accuracy of the teacher before the training, behind the recipe's own bridge where an arm has that."""
    seen = folder.result(HELD_OUT)["teachers"]
    taught = [name for name, arm in recipe.arms.items() if arm.needs_teacher]
    own = [name for name in taught if recipe.arms[name].bridge is None]
    return next((seen[name] for name in [*own, *taught] if seen[name]), None)


def _bridge(recipe: RunRecipe, name: str) -> str | None:
    """The bridge of an arm, or those of its objectives; None of an arm without a teacher."""
    sections = recipe.bridges_of(name).values()
    names = [section.name if section else "none" for section in sections]
    return " and ".join(dict.fromkeys(names)) or None


def _budget(plan: Training, dataset: data.Dataset) -> dict[str, int]:
    """Budget of a training: its steps in all, the batch size and its epochs."""
    steps = plan.epochs * fit.steps_an_epoch(plan, len(dataset.train))
    return {"steps": steps, "batch_size": plan.batch_size, "epochs": plan.epochs}


def _others(recipe: RunRecipe, dataset: data.Dataset) -> list[dict[str, Any]]:
    """Budgets of the arms that differ from the recipe's training, or that continue from another arm's student."""
    given = {name: _budget(recipe.plan(name), dataset) for name in recipe.arms}
    return [
        {"student": name, **given[name], "start": arm.start}
        for name, arm in recipe.arms.items()
        if arm.start or given[name] != _budget(recipe.training, dataset)
    ]


def _teacher_file(recipe: RunRecipe, folder: RunFolder) -> dict[str, Any]:
    """The file of the teacher, or why there is none."""
    if not recipe.export.teacher:
        return {}
    made = folder.result(TEACHER_FILE)
    if "refused" in made:
        return {"no_file": made["refused"]}
    # It took turns with the files of the seed that was first then.
    seed = next((s for s in recipe.seeds if made["file"] in folder.result(f"benchmark-seed-{s}")), None)
    if seed is None:
        return {"no_file": "The file of the teacher was made after the files of the students were measured."}
    shown = {key: made[key] for key in ("scheme", "file", "bytes")}
    quality = {key: folder.result(TEACHER_TEST)[key] for key in ("accuracy", "agreement", "mean_lsb")}
    return {"tflite": [{**shown, **quality, **_latency(folder, seed, made["file"])}]}


def _file_row(folder: RunFolder, name: str, seed: int, scheme: str) -> dict[str, Any]:
    file = f"{name}-{seed}-{scheme}.tflite"
    return {
        "student": name,
        "seed": seed,
        "scheme": scheme,
        "file": file,
        "bytes": folder.result(f"export-{name}-{seed}")["bytes"][scheme],
        **folder.result(f"test-{name}-{seed}")["tflite"][scheme],
        **_latency(folder, seed, file),
    }


def _latency(folder: RunFolder, seed: int, file: str) -> dict[str, Any]:
    latency = folder.result(f"benchmark-seed-{seed}")[file]
    return {
        "latency_ms": {"median": latency["median_ms"], "p90": latency["p90_ms"]},
        "runs": latency["runs"],
        "threads": latency["threads"],
        "device": latency["device"],
        **({"operators": latency["operators"]} if latency.get("operators") else {}),
    }


def write_metrics(folder: RunFolder, stages: list[str]) -> Path:
    """`metrics.csv`: every epoch of every stage that trained, one table; returns its path."""
    rows = [{"stage": stage, **epoch} for stage in stages for epoch in folder.result(stage).get("epochs", [])]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    path = folder.path / "metrics.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path
