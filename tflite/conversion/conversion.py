"""Keras models to TFLite files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.conversion.calibrated import calibrated, check_calibration
from tflite.conversion.checks import check_backend, check_finite, check_inputs, check_masks
from tflite.conversion.export import export
from tflite.conversion.integer import check_integer
from tflite.conversion.labelling import Numbers, metadata_of
from tflite.conversion.postprocess.finish import finished
from tflite.conversion.representative import representative_samples
from tflite.conversion.schemes import CONVERTED, INTEGER, SCHEMES, types
from tflite.errors import ConversionError, ModelError
from tflite.inspection.inspector import inspect_content
from tflite.keras_graph.checks import check_unquantized
from tflite.keras_graph.float_graph import float_graph
from tflite.keras_graph.interface import interface
from tflite.model_file.files import check_tflite_path, write_whole
from tflite.model_file.interpreter import allocate, open_model
from tflite.model_file.tensor_spec import TensorSpec
from tflite.quantization.export import exported, is_aware
from tflite.quantization.floating import floating
from tflite.quantization.saved import keras_model
from tflite.tfmot.stripping import check_plain
from tflite.utils.record import Record

if TYPE_CHECKING:
    import keras

__all__ = ["SCHEMES", "Conversion", "convert"]


@dataclass(frozen=True)
class Conversion(Record):
    """A written TFLite file: its scheme, its size in bytes, its inputs and outputs, its operators in order.

    `inputs` and `outputs` are in the order of the model's; `input` and `output` are the first of them.
    """

    path: Path
    scheme: str
    bytes: int
    input: TensorSpec
    output: TensorSpec
    ops: tuple[str, ...]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


def convert(
    model: "keras.Model | str | Path",
    path: str | Path,
    *,
    scheme: str = "float32",
    representative: Any = None,
    calibration: str = "minmax",
    percentile: float | None = None,
    input_type: str | None = None,
    output_type: str | None = None,
    labels: Sequence[str] | str | Path | None = None,
    normalization: tuple[Numbers, Numbers] | None = None,
) -> Conversion:
    """Write a Keras model as a TFLite file for one sample at a time.

    The same model and images give the same bytes. The file appears whole or, where anything fails, not at all. Its
    signature is "serve" with the input "pixels" and the output "output_0"; the name of a tensor tells its layer.
    Several inputs or outputs are in the order of `model.inputs` and `model.outputs`, and are called by the keys of the
    dictionary that the model takes or returns, else as its input and output layers are; so is an input of integers.

    Args:
        model: a functional or sequential model, or a `.keras` file of one. Its inputs are images or other numbers,
            float32, or places in a table, int32 or int64, as those of an `Embedding`. Mixed precision is undone: the
            file computes in float32 or in what `scheme` says.
        path: file to write; its folder must exist.
        scheme: "float32"; "float16" stores the weights in half the bytes; "dynamic" stores them as int8 and quantizes
            activations while it runs; "int8" computes with integers alone; "int16x8" with activations of 16 bits, more
            exact and slower; "int4" as "int8" with weights of 4 bits, for models that were trained for it.
        representative: for the integer schemes, images that the ranges of activations are measured on: an array (n,
            height, width, channels), an iterable of batches, with labels or without, or a function that returns what
            TFLite's own converter takes, [batch] or {name: batch}. A few hundred training images are enough. Of several
            inputs {name: array}, a list of arrays in their order, (inputs, labels), or batches of these. None for a
            quantization-aware model, which has its ranges.
        calibration: how the range of an activation follows from its numbers: "minmax" holds all of them;
            "percentile" leaves out the rare ones at both ends; "mse" makes the mean squared error of rounding and
            cutting off least. The last two take the layers that `quantize_aware` takes.
        percentile: for "percentile", of the numbers that lie below the upper end, and above the lower one; 99.99 by
            default.
        input_type: for "int8" and "int4", "uint8" (default: raw pixels go in as they are, scale 1 and zero point 0),
            "int8" or "float32" (both with the range that is measured). A quantization-aware model of other numbers
            than raw pixels has "int8" by default, and so has one of several inputs. For "int16x8", "float32" (default)
            or "int16". Inputs of integers keep their type.
        output_type: for "int8" and "int4", "int8" (default), "uint8" or "float32"; for "int16x8", "float32" (default)
            or "int16".
        labels: names of the classes in the order of the outputs, or a text file with one a line. They travel in the
            file as TFLite Metadata (see `tflite.metadata`); `tflite.labels` and applications on a phone read them.
            MediaPipe's image classifier takes outputs of "uint8" and "float32" alone.
        normalization: (mean, std) for the metadata, each one number or one a channel: the model takes
            (pixel − mean) / std. With labels alone it is (0, 1), for a model that scales raw pixels itself. Labels and
            normalization are of a model of one input and one output.

    Raises:
        ModelError: the model, the path or an argument is wrong; weights that are not finite; an integer scheme without
            representative images; a quantization-aware model whose ranges were never measured, or of another scheme.
        ConversionError: the converter failed, or wrote a file that the runtime refuses, or left floating-point
            operators in an integer file that are not those of layers which `quantize_aware` was asked to exclude; the
            message names their layers.
    """
    asked = input_type
    input_type, output_type = types(scheme, input_type, output_type)
    check_calibration(calibration, percentile, scheme)
    path = check_tflite_path(path)
    model = keras_model(model)
    check_unquantized(model, allowed=("int4",))  # whose kernels Keras computes with in floating point
    graph = float_graph(model)
    named = interface(model)
    check_backend()
    check_plain(graph)
    check_inputs(graph, scheme)
    check_finite(graph)
    metadata = metadata_of(graph, labels, normalization)
    if asked is None and scheme in INTEGER and len(graph.inputs) > 1 and input_type == "uint8":
        input_type = asked = "int8"
    aware, excluded = graph, floating(graph)
    if is_aware(graph):
        if calibration != "minmax":
            raise ModelError(
                "Expected calibration='minmax' with a model that has learned its ranges. Received: "
                f"calibration={calibration!r} with {graph.name!r}"
            )
        ready = exported(graph, scheme, asked, given=representative)
        graph, images, input_type = ready.graph, None, ready.input_type
    else:
        if scheme in INTEGER:
            check_masks(graph)
        images = representative_samples(representative, scheme, graph, named, pixels=input_type == "uint8")
        # The converter measures ranges for 8-bit weights alone.
        if images is not None and (calibration != "minmax" or scheme in CONVERTED):
            ready = calibrated(
                graph,
                images,
                scheme=scheme,
                calibration=calibration,
                percentile=percentile or 99.99,
                input_type=input_type,
            )
            graph, images, input_type = ready.graph, None, ready.input_type
    asked_for = CONVERTED.get(scheme, scheme)
    try:
        made = export(graph, named, asked_for, images, input_type, output_type)
    except ConversionError:
        # It gives layers in floating point integers where they lie between roundings, also where it has no kernel.
        if not excluded:
            raise
        graph = exported(aware, scheme, asked, apart=True).graph
        made = export(graph, named, asked_for, images, input_type, output_type)
    # The converter writes the wide ones itself where it measures the ranges.
    wide = scheme == "int16x8" and images is None
    narrow = scheme == "int4"
    content = finished(
        made.content,
        named=named,
        integer=scheme in INTEGER,
        wide_biases=wide,
        metadata=metadata,
        image=len(graph.inputs[0].shape) == 4,
        narrow=narrow,
    )
    found = inspect_content(path, content)
    if scheme in INTEGER:
        check_integer(found, scheme, graph, made.layers, allowed=excluded)
    _check_runs(path, content)
    write_whole(path, content)
    ops = tuple(operator.name for operator in found.operators)
    return Conversion(path, scheme, len(content), found.inputs[0], found.outputs[0], ops, found.inputs, found.outputs)


def _check_runs(path: Path, content: bytes) -> None:
    """Raise ConversionError where the interpreter cannot prepare what the converter wrote."""
    try:
        allocate(open_model(path, content=content, delegate="none"), path)
    except ModelError as error:
        raise ConversionError(f"The converter wrote a file that the runtime refuses: {error}") from error
