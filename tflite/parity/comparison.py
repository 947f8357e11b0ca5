"""Comparison of a TFLite file with the Keras model it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.interpreter import Runner, largest
from tflite.parity.differences import difference
from tflite.parity.layers import LayerError, layer_errors
from tflite.quantization.saved import keras_model
from tflite.utils.record import Record

if TYPE_CHECKING:
    import keras

_BATCH = 256
_LAYER_IMAGES = 64


@dataclass(frozen=True)
class Comparison(Record):
    """The difference between a TFLite file and its Keras model on the same images.

    `agreement` is the fraction of images with the same largest output, None of a file with one output. An image
    with NaN among the outputs of the file or of the model has no largest: it does not agree, also where both answer
    NaN, and it is not right. `mean_error` and `max_error` are absolute differences in the unit of the outputs, NaN
    or infinite where an answer is; JSON has null for these. `mean_lsb` and `max_lsb` are absolute differences in
    steps of the output's quantization, after the Keras outputs are quantized the same way; None where the output is
    not an integer, and where the model answers NaN. A single rounding that goes the other way can move a whole
    output, so judge by agreement and the mean. `accuracy` is that of the file and `keras_accuracy` that of the
    model, where labels were given. `layers` are the differences after each layer and `first` the name of the layer
    where the two part, where they were asked for. Where the file's weights are not the model's, `doubt` says so
    instead: it is the file of another model or training.
    """

    path: Path
    agreement: float | None
    mean_lsb: float | None
    max_lsb: int | None
    mean_error: float
    max_error: float
    samples: int
    accuracy: float | None = None
    keras_accuracy: float | None = None
    layers: tuple[LayerError, ...] = ()
    first: str | None = None
    doubt: str | None = None


def compare(
    model: "keras.Model | str | Path",
    path: str | Path,
    images: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    layers: bool = False,
    drop: float = 10.0,
    threads: int = 1,
) -> Comparison:
    """Compare a TFLite file with a Keras model, as a whole and layer by layer.

    Args:
        model: the Keras model, or a `.keras` file; it computes in its own precision.
        path: TFLite file.
        images: (n, height, width, channels), pixels in [0, 255], or real numbers in the unit of the model. Pixels are
            scaled, for both, as the file's metadata or its quantized input says; see `tflite.scaling`.
        labels: integers (n,), −1 for a sample without one; for the accuracy of both.
        layers: whether to compare every layer with its tensor in the file, on the first 64 images. A quantization-aware
            model computes with its roundings, so that what is left are differences of the arithmetic.
        drop: decibels of the ratio of signal to noise that the first bad layer loses, at least.
        threads: of the interpreter.

    Raises:
        ModelError: a file that cannot be read or run, images, labels or outputs of other shapes, or, for layers, a
            model that is neither functional nor sequential.
    """
    if not drop > 0:
        raise ModelError(f"Invalid value for `drop`. Expected above 0 decibels. Received: drop={drop}")
    run = Runner(path, threads=threads)
    reference = keras_model(model)
    images = np.asarray(images)
    images = run.numbers(images)  # the Keras model takes what the file's input stands for
    integers = run.answers(images)
    expected = _outputs(reference, images)
    if expected.shape != integers.shape:
        raise ModelError(
            f"Expected outputs of shape {expected.shape}, as of the Keras model. "
            f"Received: {integers.shape} of {str(path)!r}"
        )
    error = difference(run.output.dequantize(integers), expected)
    mean_lsb: float | None = None
    max_lsb: int | None = None
    if run.output.quantized and not np.isnan(error).any():
        steps = np.abs(integers.astype("int64") - run.output.quantize(expected))
        mean_lsb, max_lsb = float(steps.mean()), int(steps.max())
    alone = run.output.shape[-1:] == (1,)
    if alone and labels is not None:
        run.classes()  # its labels are of no classes
    guesses, expected_guesses = largest(integers), largest(expected)
    rows, first, doubt = (
        layer_errors(reference, path, images[:_LAYER_IMAGES], drop=drop) if layers else ((), None, None)
    )
    return Comparison(
        path=Path(path),
        # Of one number the largest is always the first: every file would agree.
        agreement=None if alone else float(((guesses == expected_guesses) & (guesses >= 0)).mean()),
        mean_lsb=mean_lsb,
        max_lsb=max_lsb,
        mean_error=float(error.mean()),
        max_error=float(error.max()),
        samples=len(images),
        accuracy=_accuracy(guesses, labels),
        keras_accuracy=_accuracy(expected_guesses, labels),
        layers=rows,
        first=first,
        doubt=doubt,
    )


def _accuracy(guesses: np.ndarray, labels: np.ndarray | None) -> float | None:
    """The fraction of labelled samples that are classified rightly."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != guesses.shape or labels.dtype.kind not in "iu" or not (labels >= 0).any():
        raise ModelError(
            f"Expected integer labels of shape {guesses.shape}, one at least not −1. "
            f"Received: {labels.shape} of {labels.dtype}"
        )
    return float((guesses == labels)[labels >= 0].mean())


def _outputs(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    from keras import ops, tree

    parts = []
    for start in range(0, len(images), _BATCH):
        try:
            outputs = model(images[start : start + _BATCH].astype("float32"), training=False)
        except ValueError as error:
            taken = getattr(model, "input_shape", None) or str(error).splitlines()[0]
            raise ModelError(
                f"Expected images as the Keras model {model.name!r} takes them: {taken}. Received: {images.shape}"
            ) from error
        found = tree.flatten(outputs)
        if len(found) != 1:
            raise ModelError(f"Expected a Keras model with one output. Received: {model.name!r} with {len(found)}")
        parts.append(ops.convert_to_numpy(ops.cast(found[0], "float32")))
    return np.concatenate(parts)
