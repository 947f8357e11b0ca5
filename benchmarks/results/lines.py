"""Recorded results: reading, appending and identifying JSON lines, one per trained student or measurement."""

import hashlib
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distiller.recipes import RunRecipe
from distiller.utils.atomic_files import write_whole

RESULTS = Path(__file__).parent


def key(recipe: RunRecipe, arm: str, seed: int) -> str:
    """Identity of a line: a digest of everything in the recipe that affects the student, of the arm and the seed."""
    asked = recipe.model_dump(mode="json", exclude={"arms", "seeds", "name", "summary"})
    asked |= {"arm": recipe.arms[arm].model_dump(mode="json"), "name": arm, "seed": seed}
    start = recipe.arms[arm].start
    if start is not None:
        asked["start"] = key(recipe, start, seed)
    asked["labels"]["seed"] = recipe.labels_seed(seed)
    if not recipe.arms[arm].needs_teacher:
        del asked["teacher"], asked["bridge"], asked["cache"]
        if recipe.labels.per_class is None and recipe.labels.fraction in (None, 1.0):
            del asked["labels"]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def elsewhere(recipe: RunRecipe, work: Path, usual: Path) -> RunRecipe:
    """The recipe with its paths in the folder `work` as they are in the `usual` one: lines are of no one machine.

    A path is any text of the recipe that begins with the folder's.
    """

    def moved(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: moved(value) for name, value in part.items()}
        if isinstance(part, list):
            return [moved(value) for value in part]
        if isinstance(part, str) and Path(part).is_relative_to(work):
            return (usual / Path(part).relative_to(work)).as_posix()
        return part

    return RunRecipe.model_validate(moved(recipe.model_dump(mode="json")))


def key_of(line: dict[str, Any]) -> str:
    """Key of a recorded line, from the recipe that it holds."""
    return key(RunRecipe.model_validate(line["recipe"]), line["arm"], line["seed"])


def read(path: Path) -> list[dict[str, Any]]:
    """Lines of a file; a last one that was cut short when its process was killed is left out."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def last_run(path: Path) -> list[dict[str, Any]]:
    """Lines of the last run of a command, those that share the `run` of the last line; none of an empty file."""
    recorded = read(path)
    return [line for line in recorded if line["run"] == recorded[-1]["run"]]


def last_in_words(name: str, sentence: Callable[[dict[str, Any]], str]) -> str:
    """List item with the `sentence` of the last line in a file of `RESULTS`; empty where there is none."""
    recorded = read(RESULTS / name)
    return f"- {sentence(recorded[-1])}" if recorded else ""


def machine(line: dict[str, Any]) -> str:
    """Machine on which a line was measured.

    >>> machine({"machine": {"processor": "AMD EPYC", "cores": 2}})
    'AMD EPYC, 2 cores'
    """
    return f"{line['machine']['processor']}, {line['machine']['cores']} cores"


def machine_and_versions(line: dict[str, Any]) -> str:
    """Machine and versions with which a line was measured; PyTorch too where the line has it."""
    versions = line["versions"]
    other = f", PyTorch {line['torch']}" if "torch" in line else ""
    return f"{machine(line)}; TensorFlow {versions['tensorflow']}, Keras {versions['keras']}{other}"


def by_arm(found: list[dict[str, Any]], variant: str) -> dict[str, list[dict[str, Any]]]:
    """Arm → its lines of a variant, one per seed.

    >>> by_arm([{"variant": "a", "arm": "x"}, {"variant": "b", "arm": "x"}], "a")
    {'x': [{'variant': 'a', 'arm': 'x'}]}
    """
    arms: dict[str, list[dict[str, Any]]] = {}
    for line in found:
        if line["variant"] == variant:
            arms.setdefault(line["arm"], []).append(line)
    return arms


def teacher_accuracy(found: list[dict[str, Any]]) -> float:
    """Mean test accuracy of the teachers of some lines: each seed may have fitted its own bridge.

    >>> teacher_accuracy([{"teacher": {"accuracy": 0.75}}, {"teacher": {"accuracy": 0.5}}])
    0.625
    """
    return statistics.fmean(line["teacher"]["accuracy"] for line in found)


def append(path: Path, lines: list[dict[str, Any]]) -> None:
    """Add lines to a file, all or none, after those that are whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(json.dumps(line) + "\n" for line in [*read(path), *lines]).encode())


def lines_of(
    report: dict[str, Any], recipe: RunRecipe, experiment: str, variant: str, recorded: dict[str, Any]
) -> list[dict[str, Any]]:
    """One line per student of a run, from its `report.json` and its `run.json` (`recorded`)."""
    found = []
    for student in report["students"]:
        name, seed = student["name"], student["seed"]
        epochs = next(c["epochs"] for c in report["curves"] if (c["name"], c["seed"]) == (name, seed))
        best = max(epochs, key=lambda epoch: epoch["val_accuracy"])
        files = [f for f in report["tflite"] if (f["student"], f["seed"]) == (name, seed)]
        found.append(
            {
                "experiment": experiment,
                "variant": variant,
                "arm": name,
                "seed": seed,
                "test_accuracy": student["accuracy"],
                "last_validation_accuracy": epochs[-1]["val_accuracy"],
                "best_validation_accuracy": best["val_accuracy"],
                "best_validation_epoch": best["epoch"],
                "agreement": student["agreement"],
                "seconds": student["seconds"],
                "parameters": student["parameters"],
                "multiply_adds": student["multiply_adds"],
                "teacher": report["teacher"] | {"accuracy": student["teacher_accuracy"]},
                "data": report["data"],
                "budget": report["budget"],
                "tflite": files,
                **student["provenance"],
                "recipe": recorded["recipe"],
                "epochs": epochs,
            }
        )
    return found
