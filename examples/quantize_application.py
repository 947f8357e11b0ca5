"""Quantization-aware training alone, on a network of keras.applications, without a teacher.

    python examples/quantize_application.py --size 96 --epochs 2

Random weights and the digits as pictures stand in for yours, so that nothing is downloaded: put your trained model and
images in their place.
"""

import argparse

import keras
import numpy as np

import tflite
from distiller import data


def main() -> None:
    """Fine-tune a MobileNet with the rounding of its int8 file in sight, and compare file and model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=2)
    asked = parser.parse_args()
    keras.utils.set_random_seed(0)
    split = data.load("digits").train.some(asked.images)
    shape = (asked.size, asked.size, 3)
    pictures = np.asarray(keras.ops.image.resize(split.images.astype("float32"), shape[:2])).repeat(3, axis=-1)

    backbone = keras.applications.MobileNet(shape, alpha=0.25, include_top=False, weights=None, pooling="avg")
    inputs = keras.Input(shape)
    features = backbone(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10, name="logits")(features))

    aware = tflite.quantize_aware(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    aware.compile(keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    steps = asked.epochs * -(-len(pictures) // 32)
    aware.fit(
        pictures, split.labels, epochs=asked.epochs, verbose=2, callbacks=[tflite.FreezeRanges(step=max(1, steps // 2))]
    )
    tflite.match_runtime(aware)
    file = tflite.convert(aware, "mobilenet.tflite", scheme="int8")
    found = tflite.compare(aware, file.path, pictures[:100].astype("uint8"))
    print(f"{file.path}: {file.bytes:,} bytes, integer: {tflite.inspect(file.path).is_integer}")
    print(f"The file agrees with the model on {found.agreement:.1%} of the images")


if __name__ == "__main__":
    main()
