"""Package the teacher of a `distiller train` run.

    python -m benchmarks.pack runs/teacher wide_cifar100 --data-dir DIR

Writes the weights in float16 and their card to `distiller/models/weights/`.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.shell import command, data_dir, option

WEIGHTS = Path(__file__).parent.parent / "distiller" / "models" / "weights"


@command(
    option("run", type=Path, metavar="RUN", help="folder of the run"),
    option("name", metavar="NAME", help="name of the packaged weights"),
    data_dir(),
)
def main(args: argparse.Namespace) -> None:
    """Write the packaged weights, measure them, and write their card."""
    from distiller import models, recipes, teachers
    from distiller.models import imagenet
    from distiller.models.trained import pack
    from distiller.runs import building

    recorded = json.loads((args.run / "run.json").read_text())
    result = json.loads((args.run / "stages" / "teacher" / "result.json").read_text())
    recipe = recipes.TrainRecipe.model_validate(recorded["recipe"])
    dataset = building.load_data(recipe.data, args.data_dir)
    card = {
        "model": {
            "name": recipe.model.name,
            "classes": len(dataset.classes),
            "input_shape": list(teachers.load(args.run / "teacher.keras").input_shape[1:]),
            # Loading the packaged weights needs no others.
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
    path = pack(teachers.load(args.run / "teacher.keras"), card, WEIGHTS, args.name)
    # The packaged weights are measured: float16, in the precision that the card names.
    packed = models.load(args.name, dtype=recipe.training.precision)
    card["test_accuracy"] = building.accuracy(packed, dataset.test)
    before = f", by a network that saw {card['pretrained']['data']} before" if "pretrained" in card else ""
    card["summary"] = f"{card['test_accuracy']:.2%} of the test images of {card['data']} right{before}"
    pack(packed, card, WEIGHTS, args.name)
    print(f"{path}: {path.stat().st_size:,} bytes, {card['summary']}")


if __name__ == "__main__":
    sys.exit(main())
