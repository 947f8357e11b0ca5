"""Comparison of a TFLite file with the Keras model it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.interface import interface, structured
from tflite.keras_graph.internals import functional
from tflite.model_file.files import read_model
from tflite.model_file.named_runner import Arrays, open_runner
from tflite.parity.agreement import OutputComparison, compare_output, sigmoid_outputs
from tflite.parity.layers import LayerError, layer_errors
from tflite.quantization.saved import keras_model
from tflite.utils.feeds import by_name, feeds
from tflite.utils.record import Record

if TYPE_CHECKING:
    import keras

_BATCH = 256
_LAYER_IMAGES = 64


@dataclass(frozen=True)
class Comparison(Record):
    """The difference between a TFLite file and its Keras model on the same samples.

    `agreement` is the fraction of samples with the same largest output; of a segmentation that of positions; of `task`
    "binary" and "multi_label" that of decisions on the same side of `threshold`; None of a regression, and of one
    number of which nothing else is known. A sample with NaN among the outputs of the file or of the model has no
    largest: it does not agree, also where both answer NaN, and it is not right. `mean_error` and `max_error` are
    absolute differences in the unit of the outputs, NaN or infinite where an answer is; JSON has null for these.
    `relative_mean_error` and `relative_max_error` are over the standard deviation of the Keras model's numbers over the
    samples, place by place; None where these are the same for all samples. `mean_lsb` and `max_lsb` are absolute
    differences in steps of the output's quantization, after the Keras outputs are quantized the same way; None where
    the output is not an integer, and where the model answers NaN. A single rounding that goes the other way can move a
    whole output, so judge by agreement and the mean. `accuracy` is that of the file and `keras_accuracy` that of the
    model, where labels of classes were given; `metrics` and `keras_metrics` are those of `tflite.evaluate` for the task
    of the labels. `layers` are the differences after each layer and `first` the name of the layer where the two part,
    where they were asked for. Where the file's weights are not the model's, `doubt` says so instead: it is the file of
    another model or training.

    Of several outputs `outputs` has each, in the order of the file; what is said of the whole is that of the worst:
    the lowest agreement, the largest differences.
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
    task: str | None = None
    threshold: float | None = None
    relative_mean_error: float | None = None
    relative_max_error: float | None = None
    metrics: dict[str, float] | None = None
    keras_metrics: dict[str, float] | None = None
    outputs: tuple[OutputComparison, ...] = ()


def compare(
    model: "keras.Model | str | Path",
    path: str | Path,
    images: Any,
    *,
    labels: Any = None,
    layers: bool = False,
    drop: float = 10.0,
    threads: int = 1,
    task: str | Mapping[str, str] | None = None,
    threshold: float | Mapping[str, float] | None = None,
) -> Comparison:
    """Compare a TFLite file with a Keras model, as a whole and layer by layer.

    Args:
        model: the Keras model, or a `.keras` file; it computes in its own precision.
        path: TFLite file.
        images: (n, height, width, channels), pixels in [0, 255], or real numbers in the unit of the model. Pixels are
            scaled, for both, as the file's metadata or its quantized input says; see `tflite.scaling`. Of several
            inputs {name: array} or a list of arrays in the order of the file, which is that of the model.
        labels: as `tflite.evaluate` takes them: of classes integers (n,), −1 for a sample without one. Of several
            outputs {name: labels} or a list, of some of them at least.
        layers: whether to compare every layer with its tensor in the file, on the first 64 images. A quantization-aware
            model computes with its roundings, so that what is left are differences of the arithmetic. For one input.
        drop: decibels of the ratio of signal to noise that the first bad layer loses, at least.
        threads: of the interpreter.
        task: as in `tflite.evaluate`, or {output: task}; by default the labels tell, and without these "multi_label" or
            "binary" after a sigmoid, "segmentation" of maps, "classification" of other rows.
        threshold: of decisions, or {output: threshold}; by default 0.5 after a sigmoid, else 0.

    Raises:
        ModelError: a file that cannot be read or run, samples, labels or outputs of other shapes or names, or, for
            layers, several inputs or a model that is neither functional nor sequential.
    """
    if not drop > 0:
        raise ModelError(f"Invalid value for `drop`. Expected above 0 decibels. Received: drop={drop}")
    run = open_runner(path, threads=threads)
    reference = keras_model(model)
    # The Keras model takes what the file's input stands for.
    numbers = run.numbers(_inputs(images, [port.name for port in run.inputs]))
    answers = run.answers(numbers)
    names = [port.name for port in run.outputs]
    expected = _outputs(reference, numbers, [port.name for port in run.inputs], names)
    labelled = {} if labels is None else by_name(labels, names)
    tasks, thresholds = _for_each(task, names), _for_each(threshold, names)
    sigmoids = sigmoid_outputs(read_model(path))
    found = [
        compare_output(
            run.path,
            port,
            one,
            other,
            task=tasks.get(port.name),
            threshold=thresholds.get(port.name),
            labels=labelled.get(port.name),
            sigmoid=sigmoid,
        )
        for port, one, other, sigmoid in zip(run.outputs, answers, expected, sigmoids, strict=True)
    ]
    rows, first, doubt = _layers(reference, path, numbers, drop) if layers else ((), None, None)
    only = found[0] if len(found) == 1 else None
    classes = only is not None and only.task in ("classification", "segmentation")
    return Comparison(
        path=Path(path),
        agreement=_worst(min, [one.agreement for one in found]),
        mean_lsb=_worst(max, [one.mean_lsb for one in found]),
        max_lsb=_worst(max, [one.max_lsb for one in found]),
        mean_error=float(np.max([one.mean_error for one in found])),
        max_error=float(np.max([one.max_error for one in found])),
        samples=len(numbers[0]),
        accuracy=only.metrics["accuracy"] if only and classes and only.metrics else None,
        keras_accuracy=only.keras_metrics["accuracy"] if only and classes and only.keras_metrics else None,
        layers=rows,
        first=first,
        doubt=doubt,
        task=only.task if only else None,
        threshold=only.threshold if only else None,
        relative_mean_error=_worst(max, [one.relative_mean_error for one in found]),
        relative_max_error=_worst(max, [one.relative_max_error for one in found]),
        metrics=only.metrics if only else None,
        keras_metrics=only.keras_metrics if only else None,
        outputs=() if only else tuple(found),
    )


def _worst(choose: Any, values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _for_each(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """Argument of each output: by name, or one for all."""
    return by_name(given, names) if isinstance(given, Mapping) else dict.fromkeys(names, given)


def _inputs(images: Any, names: Sequence[str]) -> Arrays:
    """An array for each input."""
    if len(names) == 1 and not isinstance(images, dict):
        one = isinstance(images, list | tuple) and len(images) == 1 and hasattr(images[0], "shape")
        return [np.asarray(images[0] if one else images)]
    parts = [feed for feed, _ in feeds(images, names, labelled=False)]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _layers(
    model: "keras.Model", path: str | Path, numbers: Arrays, drop: float
) -> tuple[tuple[LayerError, ...], str | None, str | None]:
    if len(numbers) > 1:
        raise ModelError(
            f"Expected one input to compare layer by layer. Received: {str(path)!r} with {len(numbers)}. Compare "
            "without `layers`, which has the difference of each output"
        )
    return layer_errors(model, path, numbers[0][:_LAYER_IMAGES], drop=drop)


def _outputs(model: "keras.Model", numbers: Arrays, inputs: Sequence[str], outputs: Sequence[str]) -> Arrays:
    """Outputs of a Keras model, float32, in the order of the file's: by name where both have the same names."""
    from keras import ops, tree

    own = interface(model) if functional(model) is not None else None
    taken, given = own.inputs if own else tuple(inputs), dict(zip(inputs, numbers, strict=True))
    if len(taken) != len(inputs):
        raise ModelError(
            f"Expected a Keras model with {len(inputs)} inputs. Received: {model.name!r} with {len(taken)}"
        )
    ordered = [given[name] for name in taken] if set(taken) == set(inputs) else list(numbers)
    types = [symbol.dtype for symbol in model.inputs] if own else ["float32"] * len(ordered)
    parts: list[Arrays] = []
    for start in range(0, len(numbers[0]), _BATCH):
        batch = [array[start : start + _BATCH].astype(kind) for array, kind in zip(ordered, types, strict=True)]
        try:
            answer = model(structured(model, batch) if len(batch) > 1 and own else batch[0], training=False)
        except ValueError as error:
            shapes = getattr(model, "input_shape", None) or str(error).splitlines()[0]
            received = [array.shape for array in numbers]
            raise ModelError(
                f"Expected images as the Keras model {model.name!r} takes them: {shapes}. "
                f"Received: {received[0] if len(received) == 1 else received}"
            ) from error
        parts.append([ops.convert_to_numpy(ops.cast(tensor, "float32")) for tensor in tree.flatten(answer)])
    found = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if len(found) != len(outputs):
        expected = "one output" if len(outputs) == 1 else f"{len(outputs)} outputs"
        raise ModelError(f"Expected a Keras model with {expected}. Received: {model.name!r} with {len(found)}")
    if own and set(own.outputs) == set(outputs):
        named = dict(zip(own.outputs, found, strict=True))
        return [named[name] for name in outputs]
    return found
