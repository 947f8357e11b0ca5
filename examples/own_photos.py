"""Distil with a tf.data pipeline, EarlyStopping and TensorBoard, as with any Keras model.

    python examples/own_photos.py photos/ --teacher teacher.keras --size 96

`photos/` has one folder of images a class; the teacher takes raw pixels of that size and ends in logits. The photos are
read as they are needed, so the folder may be larger than memory. TensorBoard: `pip install tensorboard`.
"""

import argparse
from pathlib import Path

import keras
import tensorflow as tf

import tflite
from distiller import Distiller, models


def read(folder: Path, size: int, batch_size: int) -> tuple[tf.data.Dataset, tf.data.Dataset, list[str]]:
    """Batches of training and validation photos, float32 pixels 0 to 255 with integer labels, and the class names."""
    train, validation = keras.utils.image_dataset_from_directory(
        folder, image_size=(size, size), batch_size=batch_size, validation_split=0.2, subset="both", seed=0
    )
    flipped = train.map(lambda images, labels: (tf.image.random_flip_left_right(images), labels))
    return flipped.prefetch(tf.data.AUTOTUNE), validation.prefetch(tf.data.AUTOTUNE), train.class_names


def main() -> None:
    """Distil, stop when the validation accuracy no longer grows, and write an int8 file with its labels."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--student", default="mobilenet_v2", help="a network of the zoo: `distiller models`")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("student.tflite"))
    parser.add_argument("--logs", type=Path, default=Path("logs"), help="for `tensorboard --logdir logs`")
    asked = parser.parse_args()
    train, validation, classes = read(asked.photos, asked.size, asked.batch_size)
    student = models.fuse(models.build(asked.student, len(classes), (asked.size, asked.size, 3)))
    distiller = Distiller(
        teacher=keras.saving.load_model(asked.teacher),
        student=student,
        objectives={"soft": {"name": "hinton", "temperature": 4.0}},
        weights={"labels": 0.1, "soft": 0.9},
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(keras.optimizers.AdamW(1e-3), loss=loss, metrics=["accuracy"])
    callbacks = [
        keras.callbacks.EarlyStopping("val_accuracy", patience=5, mode="max", restore_best_weights=True),
        keras.callbacks.TensorBoard(asked.logs),
    ]
    distiller.fit(train, validation_data=validation, epochs=asked.epochs, callbacks=callbacks, verbose=2, shuffle=False)
    pixels = next(iter(train.unbatch().batch(100)))[0].numpy().astype("uint8")
    tflite.convert(student, asked.out, scheme="int8", representative=pixels, labels=classes)
    agreement = tflite.compare(student, asked.out, pixels).agreement
    print(f"{asked.out}: {asked.out.stat().st_size:,} bytes")
    print(f"It agrees with the student on {agreement:.1%} of {len(pixels)} photos")


if __name__ == "__main__":
    main()
