"""Conversion of one network to an integer file in several ways, in a process of its own.

    python -m benchmarks.files.network_ways …

The networks are trained for a short, stated time: an untrained one amplifies each rounding from layer to layer, and no
two computations of it agree. Conversion and latency do not depend on training.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.shell import command, data_dir, option

if TYPE_CHECKING:
    import keras

    from distiller.data import Dataset

CLASSES = 10
STEPS, BATCH = 200, 64  # of training
IMAGES = 500  # for ranges and batch statistics
ASKED = 1000  # held-out images on which file and model are compared
RUNS = 100

# Name in `keras.applications` → height and width of the images; the smallest that the network takes, 32 or more.
APPLICATIONS = {
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "MobileNetV3Large": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "DenseNet121": 32,
    "NASNetMobile": 32,
    "Xception": 71,
    "ConvNeXtTiny": 32,
}
ZOO = ("resnet8", "resnet20", "mobilenet_v2", "wrn_16_2")
# These scale raw pixels themselves.
_RESCALING = ("MobileNetV3", "EfficientNet", "ConvNeXt")


def image_size(name: str) -> int:
    """Height and width of a network's images."""
    return APPLICATIONS.get(name, 32)


def build(name: str) -> "keras.Model":
    """A network of raw pixels with ten logits, by its name here or in `keras.applications`."""
    import keras

    from distiller import models

    keras.utils.set_random_seed(0)
    if name in ZOO:
        return models.build(name, CLASSES)
    pixels = keras.Input((image_size(name), image_size(name), 3), name="pixels")
    own = name.startswith(_RESCALING)
    scaled = pixels if own else keras.layers.Rescaling(1 / 127.5, -1, name="scale")(pixels)
    make = getattr(keras.applications, name)
    body = make(include_top=False, weights=None, pooling="avg", input_tensor=scaled)
    return keras.Model(pixels, keras.layers.Dense(CLASSES, name="logits")(body.output), name=name.lower())


def train(name: str, images: np.ndarray, labels: np.ndarray) -> "keras.Model":
    """Network trained for one epoch on images (n, height, width, 3), AdamW with a peak rate of 0.002; float32."""
    import keras

    steps = -(-len(images) // BATCH)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, decay_steps=steps, warmup_target=2e-3, warmup_steps=max(1, steps // 10)
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
    whole = build(name)
    whole.set_weights(model.get_weights())
    set_batch_statistics(whole, images[:IMAGES])
    return whole


def set_batch_statistics(model: "keras.Model", images: np.ndarray) -> None:
    """Give a network the batch statistics of these images: those of a short training lag behind its weights."""
    import keras

    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def native(model: "keras.Model", path: Path, images: np.ndarray) -> "keras.Model":
    """Quantization-aware by the native engine; returns the model whose rounding is that of the file."""
    import tflite

    aware = tflite.quantize_aware(model)
    tflite.calibrate_ranges(aware, images)
    tflite.match_runtime(aware)
    tflite.convert(aware, path, scheme="int8")
    return aware


def tfmot(model: "keras.Model", path: Path, images: np.ndarray) -> "keras.Model":
    """Quantization-aware by tensorflow-model-optimization, whose ranges follow batches: a pass without learning."""
    import keras

    import tflite

    aware = tflite.quantize_aware(model, engine="tfmot")
    aware.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    aware.fit(images, np.zeros(len(images), "int32"), batch_size=50, epochs=1, verbose=0)
    tflite.convert(aware, path, scheme="int8")
    return aware


def post_training(model: "keras.Model", path: Path, images: np.ndarray) -> "keras.Model":
    """From images alone, by the converter; compared with the model in floating point."""
    import tflite

    tflite.convert(model, path, scheme="int8", representative=images)
    return model


def ai_edge_quantizer(model: "keras.Model", path: Path, images: np.ndarray) -> "keras.Model":
    """From images alone, by ai-edge-quantizer from the float32 file; compared with the model in floating point."""
    from ai_edge_quantizer import quantizer, recipe

    import tflite

    whole = path.with_suffix(".float32.tflite")
    tflite.convert(model, whole, scheme="float32")
    maker = quantizer.Quantizer(str(whole), recipe.static_wi8_ai8())
    ranges = maker.calibrate({"serve": [{"pixels": image[None]} for image in images]})
    maker.quantize(ranges).export_model(str(path), overwrite=True)
    return model


# The last one changes the state of the process when it is imported.
WAYS: dict[str, Callable[["keras.Model", Path, np.ndarray], "keras.Model"]] = {
    way.__name__: way for way in (native, post_training, ai_edge_quantizer, tfmot)
}


def convert_and_compare(name: str, way: str, folder: Path, model: "keras.Model", dataset: "Dataset") -> dict[str, Any]:
    """Properties of the file made of a network, or the error in `error`."""
    import tflite

    path = folder / f"{name}-{way}.tflite"
    try:
        reference = WAYS[way](model, path, resize(name, dataset.train.images[:IMAGES]))
        inspection = tflite.inspect(path)
        held_out = dataset.validation
        compared = tflite.compare(
            reference, path, resize(name, held_out.images[:ASKED]), labels=held_out.labels[:ASKED]
        )
        latency = tflite.benchmark(path, threads=1, runs=RUNS)
    # An error of a tool is a result.
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0]}
    return {
        "bytes": inspection.bytes,
        "float_operators": len(inspection.float_operators),
        "operators": len(inspection.operators),
        "file_accuracy": compared.accuracy,
        "agreement": compared.agreement,
        "mean_lsb": compared.mean_lsb,
        "latency_ms": {"median": latency.median_ms, "p90": latency.p90_ms},
    }


def accuracy(model: "keras.Model", images: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy on images (n, height, width, 3)."""
    return float((model.predict(images, verbose=0).argmax(axis=-1) == labels).mean())


def resize(name: str, images: np.ndarray) -> np.ndarray:
    """Images resized for a network, float32."""
    import keras

    images = images.astype("float32")
    return (
        images
        if image_size(name) == 32
        else np.asarray(keras.ops.image.resize(images, (image_size(name), image_size(name))))
    )


@command(
    option("network", choices=[*ZOO, *APPLICATIONS], help="network to convert"),
    option("ways", choices=list(WAYS), nargs="+", help="ways to convert it"),
    option("--folder", type=Path, required=True, metavar="DIR", help="folder for the files"),
    data_dir(),
    backend=False,
)
def main(args: argparse.Namespace) -> None:
    """Print one JSON object per way, as soon as it is known."""
    from distiller import data

    dataset = data.load("cifar10", data_dir=args.data_dir)
    seen = STEPS * BATCH
    model = train(args.network, resize(args.network, dataset.train.images[:seen]), dataset.train.labels[:seen])
    held_out = resize(args.network, dataset.validation.images[:ASKED]), dataset.validation.labels[:ASKED]
    common = {"network": args.network, "parameters": model.count_params(), "accuracy": accuracy(model, *held_out)}
    for way in args.ways:
        found = convert_and_compare(args.network, way, args.folder, model, dataset)
        print(json.dumps({**common, "way": way, **found}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
