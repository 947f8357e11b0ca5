"""Package the teacher of a `distiller train` run.

    python -m benchmarks.pack runs/teacher wide_cifar100 --data-dir DIR

Writes the weights in float16 and their card to `distiller/models/weights/`.
"""

import argparse
import json
import os
import sys
from pathlib import Path

WEIGHTS = Path(__file__).parent.parent / "distiller" / "models" / "weights"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pack", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", help="name of the packaged weights")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    asked = parser.parse_args(arguments)

    from distiller import building, models, recipes, teachers
    from distiller.models import imagenet
    from distiller.models.trained import pack

    recorded = json.loads((asked.run / "run.json").read_text())
    result = json.loads((asked.run / "stages" / "teacher" / "result.json").read_text())
    recipe = recipes.TrainRecipe.model_validate(recorded["recipe"])
    dataset = building.load_data(recipe.data, asked.data_dir)
    card = {
        "model": {
            "name": recipe.model.name,
            "classes": len(dataset.classes),
            "input_shape": list(teachers.load(asked.run / "teacher.keras").input_shape[1:]),
            # Whoever loads the packaged weights needs no others.
            "options": {key: value for key, value in recipe.model.options.items() if key != "weights"},
        },
        "data": recipe.data.name,
        "classes": list(dataset.classes),
        "test_accuracy": result["test_accuracy"],
        "seconds": result["seconds"],
        **{key: recorded[key] for key in ("recipe", "commit", "machine", "versions")},
        "epochs": result["epochs"],
    }
    if recipe.model.options.get("weights") == "imagenet":
        card["pretrained"] = imagenet.origin(recipe.model.name)
    path = pack(teachers.load(asked.run / "teacher.keras"), card, WEIGHTS, asked.name)
    # What is packaged is what is measured: float16 weights, in the precision that the card names.
    packed = models.load(asked.name, dtype=recipe.training.precision)
    card["test_accuracy"] = building.accuracy(packed, dataset.test)
    before = f", by a network that saw {card['pretrained']['data']} before" if "pretrained" in card else ""
    card["summary"] = f"{card['test_accuracy']:.2%} of the test images of {card['data']} right{before}"
    pack(packed, card, WEIGHTS, asked.name)
    print(f"{path}: {path.stat().st_size:,} bytes, {card['summary']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
