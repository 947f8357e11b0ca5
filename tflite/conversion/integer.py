"""Whether an integer file computes with integers alone."""

from collections import Counter
from typing import TYPE_CHECKING

from tflite.conversion.names import layers_of
from tflite.errors import ConversionError

if TYPE_CHECKING:
    import keras

    from tflite.inspect import Inspection
    from tflite.operators import Operator


def check_integer(found: "Inspection", scheme: str, graph: "keras.Model", layers: tuple[str, ...]) -> None:
    """Raise where floating-point operators are left.

    Args:
        found: what is in the file.
        scheme: that the file was converted to.
        graph: that it was converted from.
        layers: the paths of the layers in it.

    Raises:
        ConversionError: such operators; the message names them and their layers.
    """
    if found.is_integer:
        return
    computing = [op for op in found.float_operators if op.name not in ("QUANTIZE", "DEQUANTIZE")]
    names = ", ".join(f"{n}× {name}" for name, n in Counter(op.name for op in computing).items())
    places = list(dict.fromkeys(_layer(operator, found, graph, layers) for operator in computing))
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    raise ConversionError(
        f"Expected integer operators alone in an {scheme} file. Received floating-point ones: "
        f"{names or 'conversions inside the graph'}; layers {', '.join(map(repr, places[:5])) or 'unnamed'}{more}. "
        "Use layers with an integer kernel (ReLU, ReLU6, hard-swish, sigmoid) or another scheme"
    )


def _layer(operator: "Operator", found: "Inspection", graph: "keras.Model", layers: tuple[str, ...]) -> str:
    """The layer of an operator; the converter gives the last one the name of the model's output."""
    named = layers_of(operator.place, layers)
    if named:
        return named[0]
    computing = [other for other in found.operators if other.name not in ("QUANTIZE", "DEQUANTIZE")]
    return graph.outputs[0]._keras_history.operation.name if operator == computing[-1] else operator.place
