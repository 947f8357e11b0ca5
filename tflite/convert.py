"""Keras models to TFLite files."""

import contextlib
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite import samples
from tflite.errors import ConversionError, ModelError
from tflite.files import check_writable, write_whole
from tflite.float_graph import float_graph
from tflite.inspect import Inspection, inspect_content
from tflite.loading import keras_model
from tflite.nearest import unknown
from tflite.port import Port
from tflite.quantization.export import exported, is_aware
from tflite.quiet import quiet
from tflite.record import Record

if TYPE_CHECKING:
    import keras

# Scheme → the input and output types it can have, the default first.
SCHEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "float32": (("float32",), ("float32",)),
    "float16": (("float32",), ("float32",)),
    "dynamic": (("float32",), ("float32",)),
    "int8": (("uint8", "int8", "float32"), ("int8", "uint8", "float32")),
}


@dataclass(frozen=True)
class Conversion(Record):
    """A written TFLite file: its scheme, its size in bytes, its input and output, its operators in order."""

    path: Path
    scheme: str
    bytes: int
    input: Port
    output: Port
    ops: tuple[str, ...]


def convert(
    model: "keras.Model | str | Path",
    path: str | Path,
    *,
    scheme: str = "float32",
    representative: Any = None,
    input_type: str | None = None,
    output_type: str | None = None,
) -> Conversion:
    """Write a Keras model as a TFLite file for one image at a time.

    The same model and images give the same bytes. The file appears whole or, where anything fails, not at all.

    Args:
        model: a functional or sequential model with one input of images, or a `.keras` file of one. Mixed precision is
            undone: the file computes in float32 or in what `scheme` says.
        path: file to write; its folder must exist.
        scheme: "float32"; "float16" stores the weights in half the bytes; "dynamic" stores them as int8 and quantizes
            activations while it runs; "int8" computes with integers alone.
        representative: for "int8", images that the ranges of activations are measured on: an array (n, height, width,
            channels), or an iterable of batches, with labels or without. A few hundred training images are enough.
            None for a quantization-aware model, which has its ranges.
        input_type: for "int8", "uint8" (default: raw pixels go in as they are, scale 1 and zero point 0), "int8" or
            "float32" (both with the range that is measured). A quantization-aware model of other numbers than raw
            pixels has "int8" by default.
        output_type: for "int8", "int8" (default), "uint8" or "float32".

    Raises:
        ModelError: the model, the path or an argument is wrong; "int8" without representative images; a
            quantization-aware model whose ranges were never measured, or of another scheme.
        ConversionError: the converter failed, or left floating-point operators in an "int8" file, which are named.
    """
    asked = input_type
    input_type, output_type = _types(scheme, input_type, output_type)
    path = check_writable(path)
    graph = float_graph(keras_model(model))
    _check_backend()
    shape = _image_shape(graph)
    if is_aware(graph):
        ready = exported(graph, scheme, asked, given=representative)
        graph, images, input_type = ready.graph, None, ready.input_type
    else:
        images = _representative(representative, scheme, shape, pixels=input_type == "uint8")
    content = _convert(graph, shape, scheme, images, input_type, output_type)
    found = inspect_content(path, content)
    if scheme == "int8":
        _check_integer(found)
    write_whole(path, content)
    ops = tuple(operator.name for operator in found.operators)
    return Conversion(path, scheme, len(content), found.inputs[0], found.outputs[0], ops)


def _types(scheme: str, input_type: str | None, output_type: str | None) -> tuple[str, str]:
    if scheme not in SCHEMES:
        raise ModelError(unknown("scheme", scheme, SCHEMES))
    inputs, outputs = SCHEMES[scheme]
    for name, received, known in (("input_type", input_type, inputs), ("output_type", output_type, outputs)):
        if received is not None and received not in known:
            raise ModelError(f"{unknown(name, received, known)} (with scheme={scheme!r})")
    return input_type or inputs[0], output_type or outputs[0]


def _check_backend() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Expected the TensorFlow backend of Keras. Received: {keras.backend.backend()!r}. Save the model and "
            "convert the .keras file in a process with KERAS_BACKEND=tensorflow"
        )


def _image_shape(model: "keras.Model") -> tuple[int, ...]:
    """The shape of one sample."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            "Expected a model with one input and one output. Received: "
            f"{model.name!r} with {len(model.inputs)} and {len(model.outputs)}"
        )
    shape = tuple(model.inputs[0].shape[1:])
    if model.inputs[0].dtype != "float32":
        raise ModelError(
            f"Expected a model with a float32 input. Received: {model.name!r} with {model.inputs[0].dtype}"
        )
    if None in shape:
        raise ModelError(f"Expected a model with a fixed input shape. Received: {model.name!r} with {shape}")
    return shape


def _representative(images: Any, scheme: str, shape: tuple[int, ...], *, pixels: bool) -> np.ndarray | None:
    if scheme != "int8":
        if images is not None:
            raise ModelError(f"Expected `representative` only with scheme='int8'. Received: scheme={scheme!r}")
        return None
    if images is None:
        raise ModelError("Expected `representative` images for scheme='int8'. Received: None")
    parts = [part for part, _ in samples.batches(images)]
    wrong = next((part.shape for part in parts if part.shape[1:] != shape), None) if parts else (0,)
    if wrong is not None:
        raise ModelError(
            f"Expected `representative` images of shape (n, {', '.join(map(str, shape))}). Received: {wrong}"
        )
    stacked = np.concatenate(parts).astype("float32")
    low, high = float(stacked.min()), float(stacked.max())
    if not np.isfinite([low, high]).all():
        raise ModelError("Expected finite `representative` images. Received: values that are not")
    if pixels and (low < 0 or not 1 < high <= 255):
        raise ModelError(
            "Expected `representative` images of raw pixels in [0, 255] for input_type='uint8'. Received: values in "
            f"[{low:g}, {high:g}]. A model of scaled images takes input_type='int8'"
        )
    if pixels:
        # The range of the input is that of the images. With both ends of the scale among them its step is one pixel
        # value, and raw pixels go in unchanged. Photographs have both; elsewhere the extreme pixels are moved there.
        stacked.flat[stacked.argmin()], stacked.flat[stacked.argmax()] = 0.0, 255.0
    return stacked


def _convert(
    graph: "keras.Model",
    shape: tuple[int, ...],
    scheme: str,
    images: np.ndarray | None,
    input_type: str,
    output_type: str,
) -> bytes:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, _silence() as noise:
        try:
            _export(graph, shape, folder)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serve"])
            if scheme != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if scheme == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if images is not None:
                converter.representative_dataset = lambda: ([image[None]] for image in images)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            if scheme == "int8":
                converter.inference_input_type = tf.dtypes.as_dtype(input_type)
                converter.inference_output_type = tf.dtypes.as_dtype(output_type)
            return bytes(converter.convert())
        except Exception as error:  # exporter and converter pass on whatever their parts raise
            raise ConversionError(_reason(graph.name, scheme, error, noise())) from error


def _export(graph: "keras.Model", shape: tuple[int, ...], folder: str) -> None:
    """A SavedModel with one signature, for a batch of one."""
    import keras

    archive = keras.export.ExportArchive()
    archive.track(graph)
    signature = keras.InputSpec(shape=(1, *shape), dtype="float32", name="pixels")
    archive.add_endpoint("serve", lambda image: graph(image, training=False), input_signature=[signature])
    archive.write_out(folder, verbose=False)


@contextlib.contextmanager
def _silence() -> Iterator[Any]:
    """No log lines of exporter and converter; yields a function that returns what C++ wrote."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with quiet() as noise:
        logger.setLevel(logging.ERROR)
        try:
            yield noise
        finally:
            logger.setLevel(level)


def _reason(name: str, scheme: str, error: Exception, noise: str) -> str:
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    causes = [line.strip() for line in noise.split("\n") if "error:" in line]
    detail = f" ({causes[0]})" if causes and causes[0] not in reason else ""
    return f"Could not convert {name!r} to {scheme}: {reason}{detail}"


def _check_integer(found: Inspection) -> None:
    if found.is_integer:
        return
    computing = [op for op in found.float_operators if op.name not in ("QUANTIZE", "DEQUANTIZE")]
    names = ", ".join(f"{n}× {name}" for name, n in Counter(op.name for op in computing).items())
    tensors = ", ".join(repr(op.outputs[0].name) for op in computing[:3] if op.outputs)
    raise ConversionError(
        f"Expected integer operators alone in an int8 file. Received floating-point ones: "
        f"{names or 'conversions inside the graph'}; tensors {tensors or 'unnamed'}. "
        "Use layers with an integer kernel (ReLU, ReLU6, hard-swish, sigmoid) or another scheme"
    )
