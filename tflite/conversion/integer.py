"""Check that an integer file computes with integers alone."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from tflite.conversion.names import layers_of
from tflite.errors import ConversionError
from tflite.keras_graph.internals import history

if TYPE_CHECKING:
    import keras

    from tflite.inspection.inspector import Inspection
    from tflite.model_file.operators import Operator

# The converter lets them move numbers before they are rounded.
_MOVING = ("RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS")


def check_integer(
    found: "Inspection", scheme: str, graph: "keras.Model", layers: tuple[str, ...], allowed: Collection[str] = ()
) -> None:
    """Raise where floating-point operators are left that nobody asked for.

    Args:
        found: what is in the file.
        scheme: that the file was converted to.
        graph: that it was converted from.
        layers: the paths of the layers in it.
        allowed: names of those that were asked to stay in floating point.

    Raises:
        ConversionError: such operators; the message names them and their layers.
    """
    if found.is_integer:
        return
    floating = [op for op in found.float_operators if op.name not in ("QUANTIZE", "DEQUANTIZE")]
    computing = [op for op in floating if not _asked(op, _layers(op, found, graph, layers), allowed)]
    if floating and not computing:
        return
    names = ", ".join(f"{n}× {name}" for name, n in Counter(op.name for op in computing).items())
    places = list(dict.fromkeys(_layers(operator, found, graph, layers)[0] for operator in computing))
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    raise ConversionError(
        f"Expected integer operators alone in an {scheme} file. Received floating-point ones: "
        f"{names or 'conversions inside the graph'}; layers {', '.join(map(repr, places[:5])) or 'unnamed'}{more}. "
        "Use layers with an integer kernel (ReLU, ReLU6, hard-swish, sigmoid) or another scheme"
    )


def _asked(operator: "Operator", places: tuple[str, ...], allowed: Collection[str]) -> bool:
    """Return whether an operator is of a layer that may stay in floating point, or moves the numbers of one."""
    return any(path.split("/")[0] in allowed for path in places) or (bool(allowed) and operator.name in _MOVING)


def _layers(
    operator: "Operator", found: "Inspection", graph: "keras.Model", layers: tuple[str, ...]
) -> tuple[str, ...]:
    """The layers of an operator; the converter gives the last one the name of the model's output."""
    named = layers_of(operator.place, layers)
    if named:
        return named
    called = next((i for i, port in enumerate(found.outputs) if port.name == operator.place), None)
    if called is not None and len(found.outputs) == len(graph.outputs):
        return (history(graph.outputs[called])[0].name,)
    computing = [other for other in found.operators if other.name not in ("QUANTIZE", "DEQUANTIZE")]
    return (history(graph.outputs[0])[0].name if operator == computing[-1] else operator.place,)
