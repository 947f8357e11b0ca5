"""Distil a teacher of ten handwritten digits into a student of five, and write an int8 file.

    python examples/digits.py --epochs 10

Runs in a minute or two on two cores and needs no download.
"""

import argparse

import keras

import tflite
from distiller import Distiller, bridges, data, models, objectives

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def main() -> None:
    """Train a teacher, a student on hard labels and a distilled one; compare them as files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage of the students")
    asked = parser.parse_args()
    keras.utils.set_random_seed(0)
    digits = data.load("digits")
    five = digits.only(["3", "5", "6", "8", "9"])
    few = data.hide_labels(five.train, 0, per_class=5)  # 25 labels; all other images teach through the teacher

    teacher = models.build("wide", 10, digits.image_shape, widths=(32, 64), stem=16)
    teacher.compile("adam", loss=SPARSE, metrics=["accuracy"])
    teacher.fit(data.Batches(digits.train, 32), epochs=asked.epochs, verbose=2)

    distilled = models.build("resnet8", 5, five.image_shape, width=asked.width)
    distiller = Distiller(
        teacher=teacher,
        student=distilled,
        objectives={"soft": objectives.Hinton(temperature=4.0)},
        weights={"labels": 0.1, "soft": 0.9},
        bridge=bridges.Subset(five.classes, names=digits.classes),
    )
    distiller.compile("adam", loss=SPARSE, metrics=["accuracy"])
    distiller.fit(data.Batches(few, 32), validation_data=data.InOrder(five.validation), epochs=asked.epochs, verbose=2)

    alone = models.build("resnet8", 5, five.image_shape, width=asked.width)
    alone.compile("adam", loss=SPARSE, metrics=["accuracy"])
    labelled = few.take((few.labels != data.UNLABELLED).nonzero()[0])
    steps = -(-len(few) // 32)
    images, labels = labelled.images.astype("float32"), labelled.labels
    alone.fit(images, labels, batch_size=32, epochs=asked.epochs * steps // -(-len(labelled) // 32), verbose=0)

    for name, student in (("hard_labels", alone), ("distilled", distilled)):
        path = f"{name}.tflite"
        tflite.convert(student, path, scheme="int8", representative=five.train.images[:200])
        found = tflite.evaluate(path, (five.test.images, five.test.labels))
        print(f"{path}: accuracy {found.accuracy:.2%} on {len(five.test)} test images")


if __name__ == "__main__":
    main()
