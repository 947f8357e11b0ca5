"""Ranges of activations that are measured here and not by the converter."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.conversion.calibration import CALIBRATIONS, Histogram, mse_range, percentile_range
from tflite.conversion.schemes import INTEGER
from tflite.errors import ModelError
from tflite.keras_graph.interface import interface
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    import keras

    from tflite.quantization.export import Ready

_BATCH = 32


def check_calibration(calibration: str, percentile: float | None, scheme: str) -> None:
    """Raise what is wrong with the arguments.

    Raises:
        ModelError: an unknown way or none, a percentile out of range, or a scheme without ranges.
    """
    if not isinstance(calibration, str):
        raise ModelError(
            f"Expected `calibration` to be one of {list(CALIBRATIONS)}, and images in `representative`. "
            f"Received: calibration of type {type(calibration).__name__}"
        )
    if calibration not in CALIBRATIONS:
        raise ModelError(unknown("calibration", calibration, CALIBRATIONS))
    if calibration != "minmax" and scheme not in INTEGER:
        raise ModelError(
            f"Expected `calibration` only with a scheme of {list(INTEGER)}. Received: calibration={calibration!r} "
            f"with scheme={scheme!r}"
        )
    if percentile is None:
        return
    if calibration != "percentile":
        raise ModelError(
            f"Expected `percentile` only with calibration='percentile'. Received: percentile={percentile} with "
            f"calibration={calibration!r}"
        )
    if not 50 < percentile <= 100:
        raise ModelError(
            f"Invalid value for `percentile`. Expected above 50, at most 100. Received: percentile={percentile}"
        )


def calibrated(
    graph: "keras.Model",
    samples: list[np.ndarray],
    *,
    scheme: str,
    calibration: str,
    percentile: float,
    input_type: str,
) -> "Ready":
    """A graph with constant ranges of activations, for the converter.

    Ranges go where quantization-aware training has them, on the numbers that the network computes with its kernels
    rounded and its activations not.

    Args:
        graph: computes in float32.
        samples: (n, …), an array for each input.
        scheme: one with ranges of activations.
        calibration: one of `CALIBRATIONS`.
        percentile: of the numbers that stay inside the range at each end.
        input_type: of the file.

    Raises:
        ModelError: a layer that cannot be quantized, which is named.
    """
    import keras

    from tflite.quantization.aware import quantize_aware
    from tflite.quantization.export import exported
    from tflite.quantization.numerics import NARROWEST
    from tflite.quantization.ranges import fake_quants
    from tflite.quantization.refusals import UnsupportedError

    pixels = (0.0, 255.0) if input_type == "uint8" and len(samples) == 1 else None
    try:
        aware = quantize_aware(graph, scheme=scheme, input_range=pixels)
    except UnsupportedError as error:
        another = "" if calibration == "minmax" else ", or convert with calibration='minmax'"
        raise ModelError(
            f"{error.reason}{another}, or use tflite.quantize_aware(…, exclude=({error.name!r},))"
        ) from error
    if pixels is None and _assumes(aware):
        ends = [(min(0.0, float(part.min())), max(NARROWEST, float(part.max()))) for part in samples]
        names = interface(graph).inputs
        known = ends[0] if len(ends) == 1 else dict(zip(names, ends, strict=True))
        aware = quantize_aware(graph, scheme=scheme, input_range=known)
    layers = fake_quants(aware)
    histograms = [Histogram() for _ in layers]
    if layers:
        probe = keras.Model(aware.inputs, [layer.input for layer in layers])
        for step in (Histogram.widen, Histogram.count):
            for start in range(0, len(samples[0]), _BATCH):
                outputs = probe([part[start : start + _BATCH] for part in samples], training=False)
                for histogram, values in zip(histograms, keras.tree.flatten(outputs), strict=True):
                    step(histogram, keras.ops.convert_to_numpy(values))
    for layer, histogram in zip(layers, histograms, strict=True):
        if calibration == "mse":
            low, high = mse_range(histogram, bits=layer.bits, symmetric=layer.symmetric)
        else:
            low, high = percentile_range(histogram, 100 if calibration == "minmax" else percentile)
        _set_range(layer, low, high)
    return exported(aware, scheme, input_type)


def _assumes(aware: "keras.Model") -> bool:
    """Return whether the range of an input is one that was not measured, since the model rescales it."""
    from tflite.quantization.layers import FakeQuant

    return any(
        isinstance(layer, FakeQuant)
        and layer.fixed is not None
        and any(layer.input is symbol for symbol in aware.inputs)
        for layer in aware.layers
    )


def _set_range(layer: Any, low: float, high: float) -> None:
    """Let a layer round in a range, as if it had measured it."""
    from tflite.quantization.numerics import NARROWEST

    if layer.symmetric:
        high = max(-low, high)
        low = -high
    layer.low.assign(low)
    layer.high.assign(max(high, low + NARROWEST))
    layer.measured.assign(1.0)
