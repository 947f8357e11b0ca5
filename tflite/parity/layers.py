"""Differences between a file and its Keras model after every layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite.keras_graph.float_graph import float_graph
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.parity.differences import difference, energy, ratio
from tflite.parity.file_side import Step, Steps
from tflite.parity.keras_side import calls
from tflite.parity.matching import match
from tflite.parity.relation import doubt
from tflite.utils.record import Record

if TYPE_CHECKING:
    import keras

_BATCH = 8


@dataclass(frozen=True)
class LayerError(Record):
    """The difference between a layer and its tensor in the file, on the same images.

    `mean_error` and `max_error` are absolute, in the unit of the layer. `mean_lsb` and `max_lsb` are in steps of the
    tensor's quantization, after the layer's numbers are quantized the same way; None for a floating-point tensor, and
    where the layer computes NaN. `sqnr_db` is the ratio of signal to quantization noise in decibels,
    10·log₁₀(Σ layer² / Σ difference²); None where nothing differs, and −300 where the difference is not finite or the
    layer computes zeros alone and the file does not. NaN differs from all there is, from NaN too.
    """

    layer: str
    tensor: str
    operator: str
    mean_lsb: float | None
    max_lsb: int | None
    mean_error: float
    max_error: float
    sqnr_db: float | None


def layer_errors(
    model: "keras.Model", path: str | Path, images: np.ndarray, *, drop: float
) -> tuple[tuple[LayerError, ...], str | None, str | None]:
    """The error after every layer that has a tensor in the file, in their order; the first bad layer; a doubt.

    The doubt is a sentence where layers part and most weights of the file are not those of the model, as in the file of
    another one: no layer is to blame then, and none is named.

    The first bad layer is the first whose ratio of signal to noise is more than `drop` decibels below that of what it
    reads. What it reads counts no better than the weights and activations of the file allow.

    Args:
        model: functional or sequential; a quantization-aware one computes with its roundings.
        path: TFLite file; it is run by the interpreter's own kernels.
        images: (n, height, width, channels).
        drop: in decibels.

    Raises:
        ModelError: a model or images that cannot be compared.
    """
    graph = float_graph(model)
    steps = Steps(path)
    sums = [_Sums(step) for step in steps.all]
    paired: dict[int, int] = {}
    names: dict[int, str] = {}
    for start in range(0, len(images), _BATCH):
        part = images[start : start + _BATCH]
        received = steps.run(part)
        computed = calls(graph, part)
        if not start:
            real = [step.port.dequantize(values) for step, values in zip(steps.all, received, strict=True)]
            paired = match(steps.all, real, computed)
            names = {step: computed[call].path for step, call in paired.items()}
        for step, call in paired.items():
            sums[step].add(received[step], computed[call].output)
    rows = {step: sums[step].row(names[step]) for step in sorted(paired)}
    first = _first(rows, steps.all, _best(steps.file), drop)
    unrelated = None if first is None else doubt(graph, steps)
    return tuple(rows.values()), None if unrelated else first, unrelated


class _Sums:
    """Differences of one tensor, added up."""

    def __init__(self, step: Step):
        self._step = step
        self._count = 0
        self._error = self._steps = self._signal = self._noise = 0.0
        self._largest, self._most = 0.0, 0

    def add(self, received: np.ndarray, expected: np.ndarray) -> None:
        """Count numbers of the file's type and those of the layer."""
        port = self._step.port
        expected = expected.reshape(received.shape)
        error = difference(port.dequantize(received), expected)
        self._count += error.size
        self._error += float(error.sum())
        self._largest = float(np.maximum(self._largest, error.max()))  # NaN stays
        self._signal += energy(expected)
        self._noise += float(np.square(error).sum())
        if port.quantized and not np.isnan(error).any():
            steps = np.abs(received.astype("int64") - port.quantize(expected))
            self._steps += float(steps.sum())
            self._most = max(self._most, int(steps.max()))

    def row(self, layer: str) -> LayerError:
        """The result."""
        in_steps = self._step.port.quantized and not np.isnan(self._noise)
        return LayerError(
            layer=layer,
            tensor=self._step.tensor.name,
            operator=self._step.operator.name,
            mean_lsb=self._steps / self._count if in_steps else None,
            max_lsb=self._most if in_steps else None,
            mean_error=self._error / self._count,
            max_error=self._largest,
            sqnr_db=ratio(self._signal, self._noise) if self._noise else None,
        )


def _first(rows: dict[int, LayerError], steps: Sequence[Step], best: float, drop: float) -> str | None:
    entering: dict[int, float] = {}
    for place, step in enumerate(steps):
        before = min((entering[source] for source in step.sources), default=best)
        if place not in rows:
            entering[place] = before
            continue
        leaving = rows[place].sqnr_db
        leaving = best if leaving is None else min(leaving, best)
        if leaving < before - drop:
            return rows[place].layer
        entering[place] = leaving
    return None


def _best(file: Flatbuffer) -> float:
    """The ratio, in decibels, that a layer keeps with the coarsest numbers of a file."""
    weights = {tensor.dtype for tensor in file.tensors if file.is_weight(tensor)}
    return next((ratio for dtype, ratio in _COARSEST.items() if dtype in weights), 80.0)


# Type of weights → the ratio that a layer with them keeps; the coarsest first.
_COARSEST = {"int2": 5.0, "int4": 15.0, "int8": 30.0, "uint8": 30.0, "float16": 60.0}
