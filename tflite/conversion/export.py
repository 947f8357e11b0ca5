"""From a Keras graph to the bytes of a TFLite file, through TensorFlow's converter."""

import contextlib
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.conversion.names import layers_of, name_scopes
from tflite.conversion.schemes import INTEGER
from tflite.conversion.sums import plain_sums
from tflite.errors import ConversionError
from tflite.keras_graph.interface import INPUT, Interface, structured
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.utils.quiet import quiet

if TYPE_CHECKING:
    import keras

# The name that applications call, the same in every file.
SIGNATURE = "serve"
# Tensors of several inputs and outputs until the file gets their names, which TensorFlow might change.
_INPUT, _OUTPUT = "input_{}", "output_{}"
# How often a conversion is made again that left a SPLIT in floating point.
_TRIES = 16


@dataclass(frozen=True)
class Exported:
    """The bytes of a file and the paths of the layers in it."""

    content: bytes
    layers: tuple[str, ...]


def export(
    graph: "keras.Model",
    named: Interface,
    scheme: str,
    samples: Sequence[np.ndarray] | None,
    input_type: str,
    output_type: str,
) -> Exported:
    """Convert a graph for a batch of one.

    Args:
        graph: computes in float32; its layers get scopes of their own.
        named: how its inputs and outputs are called, and so how many there are.
        scheme: one of `SCHEMES`.
        samples: that the converter measures ranges on, an array for each input; None where the graph has them, or needs
            none.
        input_type: of the file's floating-point inputs; integers stay what they are.
        output_type: of the file.

    Raises:
        ConversionError: whatever exporter and converter say, with the layers where they tell them.
    """
    layers = name_scopes(graph)
    with tempfile.TemporaryDirectory() as folder, _silence() as noise:
        try:
            _save(graph, named, folder)
            if samples is not None:
                _check_loops(folder, layers)
            content = _converted(folder, scheme, samples, input_type, output_type)
            for _ in range(_TRIES if samples is not None else 0):
                if not _left_a_split(content):
                    break
                content = _converted(folder, scheme, samples, input_type, output_type)
            return Exported(content, layers)
        except Exception as error:  # exporter and converter pass on whatever their parts raise
            reason = _missing(str(error), layers) or _unquantized(str(error), folder, layers)
            reason = reason or _refused(str(error), layers) or _first_line(error, noise())
            raise ConversionError(f"Could not convert {graph.name!r} to {scheme}: {reason}") from error


def _converted(
    folder: str, scheme: str, samples: Sequence[np.ndarray] | None, input_type: str, output_type: str
) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if samples is not None:
        converter.representative_dataset = lambda: _feeds(samples)
    # Asked for 8 bits alone the converter wants images, also where the graph has its ranges.
    if samples is not None or scheme == "int16x8":
        converter.target_spec.supported_ops = [_operators(scheme)]
    if scheme in INTEGER:
        converter.inference_input_type = tf.dtypes.as_dtype(input_type)
        converter.inference_output_type = tf.dtypes.as_dtype(output_type)
    return bytes(converter.convert())


def _feeds(samples: Sequence[np.ndarray]) -> Iterator[Any]:
    """One sample after another as the converter takes them: by name where there are several inputs."""
    for parts in zip(*samples, strict=True):
        if len(parts) == 1:
            yield [parts[0][None]]
        else:
            yield SIGNATURE, {_INPUT.format(i): part[None] for i, part in enumerate(parts)}


def _left_a_split(content: bytes) -> bool:
    """Return whether a SPLIT was left in floating point, as in about every second unrolled GRU or LSTM.

    It depends on nothing that is asked for; a file of the same graph without such a SPLIT is always the same.
    """
    return any(operator.name == "SPLIT" for operator in Flatbuffer(content).float_operators)


def _operators(scheme: str) -> Any:
    import tensorflow as tf

    if scheme == "int8":
        return tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def _save(graph: "keras.Model", named: Interface, folder: str) -> None:
    """A SavedModel with one signature, whose inputs and outputs have numbers where there are several."""
    import keras

    archive = keras.export.ExportArchive()
    archive.track(graph)
    names = [INPUT] if len(named.inputs) == 1 else [_INPUT.format(i) for i in range(len(named.inputs))]
    signature = [
        keras.InputSpec(shape=(1, *symbol.shape[1:]), dtype=symbol.dtype, name=name)
        for symbol, name in zip(graph.inputs, names, strict=True)
    ]

    def outputs(*tensors: Any) -> Any:
        """The outputs, also out of a dictionary or a list, whose names they would have."""
        found = keras.tree.flatten(graph(structured(graph, list(tensors)), training=False))
        if len(named.outputs) == 1:
            [only] = found
            return only
        return {_OUTPUT.format(i): _apart(tensor) for i, tensor in enumerate(found)}

    with plain_sums():
        archive.add_endpoint(SIGNATURE, outputs, input_signature=signature)
        archive.write_out(folder, verbose=False)


def _apart(tensor: Any) -> Any:
    """The tensor by another name: one may be several outputs."""
    import tensorflow as tf

    return tf.identity(tensor)


def _check_loops(folder: str, layers: tuple[str, ...]) -> None:
    """ValueError for a graph with loops: where the converter measures ranges, it ends the process at one."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    [graph] = SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes()).meta_graphs
    nodes = [*graph.graph_def.node, *(node for one in graph.graph_def.library.function for node in one.node_def)]
    loops = [_place(node.name, layers) for node in nodes if node.op in ("While", "StatelessWhile")]
    if loops:
        raise ValueError(
            f"there is a loop in {', '.join(dict.fromkeys(loops))}, of which the converter cannot measure ranges. Use "
            "unroll=True in a recurrent layer, or scheme='dynamic'"
        )


@contextlib.contextmanager
def _silence() -> Iterator[Any]:
    """No log lines of exporter and converter; yields a function that returns what C++ wrote."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with quiet() as noise, warnings.catch_warnings():
        # The converter itself uses it to measure ranges of several inputs.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        logger.setLevel(logging.ERROR)
        try:
            yield noise
        finally:
            logger.setLevel(level)


def _missing(message: str, layers: tuple[str, ...]) -> str | None:
    """The operators that TFLite lacks, each with the layer that it comes from, where the converter says so."""
    found = re.findall(r'fused\["(\w+):", "([^"@]+)@[^\n]*is neither a custom op nor a flex op', message)
    if not found:
        return None
    places = [f"{name} of {_place(path, layers)}" for name, path in dict.fromkeys(found)]
    return f"TFLite has no operator for {', '.join(places)}. Write it with other operations"


def _refused(message: str, layers: tuple[str, ...]) -> str | None:
    """Sentence about one operation in place of the converter's dump of the places in the graph."""
    said = re.search(r"'tfl?\.(\w+)' op ([^\n]{1,160})", message)
    place = re.search(r'fused\["\w+:", "([^"@]+)@', message)
    if said is None or place is None:
        return None
    return (
        f"the converter does not take {said[1]} of {_place(place[1], layers)}: {said[2]}. Use another layer or scheme"
    )


def _unquantized(message: str, folder: str, layers: tuple[str, ...]) -> str | None:
    """The layers of an operator that the converter cannot quantize, where it says so; it names the operator alone."""
    import tensorflow as tf

    found = re.search(r"not yet supported for op: '(\w+)'", message)
    if found is None:
        return None
    content = bytes(tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE]).convert())
    operators = [operator for operator in Flatbuffer(content).operators if operator.name == found[1]]
    places = list(dict.fromkeys(_place(operator.place, layers) for operator in operators))
    return f"there is no integer kernel for {found[1]} of {', '.join(places[:5])}. Use another layer or scheme"


def _place(path: str, layers: tuple[str, ...]) -> str:
    named = layers_of(path, layers)
    return f"layer {named[0]!r}" if named else repr(path)


def _first_line(error: Exception, noise: str) -> str:
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    causes = [line.strip() for line in noise.split("\n") if "error:" in line]
    detail = f" ({causes[0]})" if causes and causes[0] not in reason else ""
    return f"{reason}{detail}"
