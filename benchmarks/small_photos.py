"""The defaults of `distiller distill` on small sets of photos: hard labels beside a distilled student.

    python -m benchmarks.small_photos --data-dir DIR

The photos are CIFAR-10's, written as JPEG files into folders of classes, of which a few hundred are for training. The
teacher is a plain convolutional network that has seen five times as many. A recorded set is not run again, and an
interrupted one resumes.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.pretrained_photos import write_photos
from benchmarks.run import train_missing
from benchmarks.shell import Line, command, data_dir, option, positive, seeds, work

if TYPE_CHECKING:
    from distiller.data import Dataset
    from distiller.recipes import RunRecipe

NAME, WORK = "small_photos", Path("runs/small_photos")
# Set → classes, and photos of each for training; each has as many again for the test split, and 200 at the least.
SETS: dict[str, tuple[tuple[str, ...], int]] = {
    "vehicles": (("airplane", "automobile", "ship"), 100),
    "animals": (("cat", "deer", "dog", "frog", "horse"), 120),
    "mixed": (("airplane", "bird", "horse", "truck"), 200),
}
TESTED, MORE = 200, 5
# What `distiller distill` gave every set before its defaults followed from the number of images.
BEFORE: dict[str, Any] = {"epochs": 40, "batch_size": 128, "learning_rate": 0.1}


def recipe_of(folder: Path, seeds: list[int], given: dict[str, Any], epochs: int | None = None) -> "RunRecipe":
    """Recipe of `distiller distill teacher.keras resnet8 --data photos --flip`, with one file per student."""
    from distiller import recipes
    from distiller.runs import defaults

    training = sum(1 for _ in (folder / "photos" / "train").rglob("*.jpg"))
    plan = defaults.training(round(0.9 * training), **given)
    recipe = recipes.checked(
        {
            "kind": "run",
            "summary": "A small set of photos",
            "name": NAME,
            "data": {"name": str(folder / "photos"), "image_size": [32, 32]},
            "teacher": {"file": str(folder / "teacher.keras")},
            "student": {"name": "resnet8"},
            "training": {**plan, "epochs": epochs or plan["epochs"], "flip": True},
            "arms": {
                "hard_labels": {},
                "distilled": {
                    "objectives": {"hinton": {"name": "hinton"}},
                    "weights": {"labels": defaults.LABELS, "hinton": defaults.SOFT},
                },
            },
            "export": {"schemes": ["int8"], "teacher": True},
            "benchmark": {"runs": 50, "seconds": 0},
            "seeds": seeds,
        },
        NAME,
        kind="run",
    )
    assert isinstance(recipe, recipes.RunRecipe)
    return recipe


def prepare(name: str, folder: Path, everything: "Dataset") -> None:
    """Write the photos of a set and train its teacher."""
    import numpy as np

    classes, count = SETS[name]
    images = everything.only(classes)
    write_photos(images, folder / "photos", training=count, tested=TESTED)
    rng = np.random.default_rng(0)
    seen = [np.flatnonzero(images.train.labels == code)[: MORE * count] for code in range(len(classes))]
    train_teacher(images.train.take(rng.permutation(np.concatenate(seen))), len(classes), folder / "teacher.keras")


def train_teacher(split: Any, classes: int, path: Path) -> None:
    """Train a plain convolutional network of about 390,000 parameters on images and their mirror images; save it."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    inputs = keras.Input(split.images.shape[1:])
    x = keras.layers.Rescaling(1 / 255)(inputs)
    for filters in (32, 64, 128, 256):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling2D()(x))
    teacher = keras.Model(inputs, keras.layers.Dense(classes)(x), name="plain")
    teacher.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    both = np.concatenate([split.images, split.images[:, :, ::-1]]).astype("float32")
    teacher.fit(both, np.tile(split.labels, 2), batch_size=64, epochs=8, verbose=0)
    teacher.save(path)


@command(
    option("--set", action="append", choices=SETS, help="only this set; may be repeated"),
    option("--before", action="store_true", help="train with the budget that all sets had before"),
    seeds((0, 1, 2)),
    data_dir(),
    work(WORK),
    option("--epochs", type=positive, metavar="N", help="epochs of a trial, which is not recorded among the results"),
    results=f"{NAME}.jsonl",
    trial=lambda args: "a run with other epochs" if args.epochs else "",
    backend=False,
    stamp=False,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """Train the students that have no line yet; the lines of a set at a time."""
    from distiller import data

    for name in args.set or SETS:
        folder = args.work / name
        if not (folder / "teacher.keras").exists():
            prepare(name, folder, data.load("cifar10", data_dir=args.data_dir))
        yield train_missing(
            recipe_of(folder, list(args.seeds), {**BEFORE} if args.before else {}, args.epochs),
            folder / ("before" if args.before else "run"),
            args.results,
            experiment=NAME,
            work=args.work,
            usual=WORK,
            variant=f"{name}, before" if args.before else name,
        )


if __name__ == "__main__":
    sys.exit(main())
