"""Networks, losses and objectives of tasks other than one class an image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller import data, models
from distiller.data import InOrder, Split
from distiller.errors import InputError
from distiller.models import segmenter
from distiller.models.fusing import fuse
from distiller.networks.endings import is_sigmoid, is_softmax, last_operations
from distiller.networks.loading import opened
from distiller.networks.subclassed import is_subclassed
from distiller.objectives.table import named
from distiller.recipes.schema import Data, Network
from distiller.recipes.training import Training
from tflite.parity.task_metrics import METRICS

# The metric that a task is judged by; the others are told beside it.
HEADLINE = {"multi_label": "map", "regression": "mae", "segmentation": "miou"}
LOWER_IS_BETTER = ("mae", "rmse")
# Objectives on outputs that are numbers: all others make probabilities of them.
_OF_NUMBERS = "mean_squared_logits"
# A logit that stands for always or never.
_SURE = 20.0
UNET = "unet"


def load_data(section: Data, task: str, data_dir: Path | None) -> data.Dataset:
    """The images of a recipe's task; where it measures on the validation split, that one is the test split too."""
    size = section.image_size if "image_size" in section.model_fields_set else None
    found = data.load_task(
        section.name,
        task,
        labels=section.labels,
        columns=section.columns,
        classes=section.classes,
        derive=section.derive,
        data_dir=data_dir,
        validation=section.validation,
        image_size=size,
        cache_dir=section.cache_dir,
    )
    if section.measured_on == "validation":
        return data.Dataset(found.name, found.train, found.validation, found.validation, found.classes)
    return found


def check_network(network: Network, task: str) -> None:
    """Raise InputError where a network is not known, before any image is read."""
    if task == "segmentation" and network.name == UNET:
        return
    if task == "segmentation" and network.name in models.ZOO:
        raise InputError(
            f"The model {network.name!r} answers once for a whole image. Expected one with a class for each pixel: "
            f"{UNET}, a .keras file, or file.py:function"
        )
    if task != "segmentation" and network.name == UNET:
        raise InputError(
            f"The model {UNET!r} answers for each pixel, which is of the task segmentation. Received: {task}"
        )
    models.check(network.name, network.options)


def build(network: Network, plan: Training, dataset: data.Dataset, task: str) -> keras.Model:
    """An untrained network with the outputs of a data set; InputError where it is none of the task."""
    check_network(network, task)
    outputs = len(dataset.classes)
    if network.name == UNET and task == "segmentation":
        try:
            made = segmenter.unet(outputs, dataset.image_shape, dtype=plan.precision, **network.options)
        except TypeError as error:
            raise InputError(f"Invalid options for model {UNET!r}: {error}. Received: {network.options}") from error
    elif network.name.lower().endswith((".keras", ".h5", ".hdf5")):
        made = opened_network(Path(network.name), role="model")
    else:
        shape = dataset.image_shape
        made = models.build_outputs(network.name, outputs, shape, dtype=plan.precision, **network.options)
    check_outputs(made, dataset, task, network.name)
    return made


def opened_network(path: Path, *, role: str) -> keras.Model:
    """The network in a `.keras` or `.h5` file, in fast kernels; InputError where it cannot be opened."""
    return fuse(opened(path, role=role))


def check_outputs(network: keras.Model, dataset: data.Dataset, task: str, name: str) -> None:
    """Raise InputError unless a network takes the images and has the outputs of a task."""
    expected = (*dataset.train.labels.shape[1:], len(dataset.classes)) if task == "segmentation" else None
    expected = expected or (len(dataset.classes),)
    taken, left = network.input_shape, network.output_shape
    if not isinstance(taken, tuple) or any(
        own not in (None, size) for own, size in zip(taken[1:], dataset.image_shape, strict=False)
    ):
        raise InputError(f"Expected {name!r} to take images {dataset.image_shape}. Received: inputs {taken}")
    fits = isinstance(left, tuple) and len(left) == len(expected) + 1
    if not fits or any(own not in (None, size) for own, size in zip(left[1:], expected, strict=True)):
        raise InputError(
            f"Expected {name!r} to have outputs (batch, {', '.join(map(str, expected))}) for the task {task}. "
            f"Received: outputs {left}"
        )
    if task == "regression" or is_subclassed(network):
        return
    if any(is_sigmoid(one) or is_softmax(one) for one in last_operations(network)):
        raise InputError(
            f"Expected {name!r} to answer with logits for the task {task}. Received: a sigmoid or softmax at its end. "
            "Take it off: distiller.models.logits_of of a softmax, else the model of the layer before it"
        )


def check_objectives(objectives: dict[str, dict[str, Any]], task: str, place: str) -> None:
    """Raise InputError for an objective that makes probabilities of outputs that are numbers."""
    for key, arguments in objectives.items():
        kind = named(arguments.get("name"))
        if task == "regression" and kind.compares == "logits" and kind is not named(_OF_NUMBERS):
            raise InputError(
                f"{place}.objectives.{key}: {arguments['name']!r} compares probabilities of classes, and the outputs "
                f"of a regression are numbers. Expected {_OF_NUMBERS}, or an objective on layers"
            )


def loss(task: str) -> keras.losses.Loss:
    """The loss of the labels."""
    if task == "multi_label":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    if task == "regression":
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)


def measure(outputs: np.ndarray, labels: np.ndarray, task: str) -> dict[str, float]:
    """The metrics of a task, as `tflite.evaluate` measures a file; outputs of several labels are logits."""
    metrics = METRICS[task](0.0 if task == "multi_label" else None)
    metrics.update(np.asarray(outputs, "float32"), labels)
    return metrics.result()


def measure_network(network: keras.Model, split: Split, task: str) -> dict[str, float]:
    """The metrics of a network on a labelled split."""
    return measure(network.predict(InOrder(split), verbose=0), split.labels, task)


def constant(train: Split, labels: np.ndarray, outputs: int, task: str) -> dict[str, float]:
    """The metrics of answers that look at no image, the best of their kind that the training labels know.

    How often each label occurs, the median of each number, or the most frequent class for each pixel.
    """
    if task == "multi_label":
        share = train.labels.mean(axis=0).astype("float64")
        with np.errstate(divide="ignore"):
            answer = np.clip(np.log(share) - np.log1p(-share), -_SURE, _SURE)
    elif task == "regression":
        answer = np.median(train.labels, axis=0)
    else:
        known = train.labels[train.labels >= 0]
        answer = np.eye(outputs)[np.bincount(known, minlength=outputs).argmax()]
        return measure(np.broadcast_to(answer, (*labels.shape, outputs)), labels, task)
    return measure(np.broadcast_to(answer, (len(labels), outputs)), labels, task)


def better(first: float, second: float, metric: str) -> bool:
    """Return whether the first number of a metric is better than the second."""
    return first < second if metric in LOWER_IS_BETTER else first > second


def told(metrics: dict[str, float], order: Sequence[str] = ()) -> str:
    """Metrics in words, such as "mae 0.1234, rmse 0.2345"."""
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in (order or metrics))
