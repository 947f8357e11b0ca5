"""Layers that tensorflow-model-optimization quantizes."""

from typing import Any

from tflite.keras_graph.graph import Call, Graph
from tflite.tfmot.layer_map import no_twin
from tflite.tfmot.rebuild import Rebuilt

# The layers that a normalisation is folded into. After a dense layer, which has one scale, floats would remain.
_BEFORE_NORMALIZATION = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")


def refuse(rebuilt: Rebuilt) -> None:
    """Raise for the first layer that it would not quantize, or leave in floating point.

    Raises:
        ModelError: the message names the layer.
    """
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    known = registry.Default8BitQuantizeRegistry()
    for layer in rebuilt.network.layers:
        call = rebuilt.calls.get(layer.name)
        if call is None:
            continue
        if type(layer).__name__ == "BatchNormalization":
            _check_normalization(call, rebuilt.graph)
        elif type(layer).__name__.startswith("AveragePooling") and _merged_and_more(call, rebuilt.graph):
            # The converter would want one range of a concatenation and of what another layer takes.
            raise no_twin(call, " that is concatenated and taken elsewhere too")
        elif not _supports(known, layer):
            inside = "" if layer.name == call.name else f" with {type(layer).__name__}"
            raise no_twin(call, f"{inside}, which it does not quantize")


def _supports(known: Any, layer: Any) -> bool:
    if not known.supports(layer):
        return False
    try:
        config = known.get_quantize_config(layer)
        config.get_output_quantizers(layer)
    except ValueError:  # an activation that is not on its list
        return False
    return True


def _merged_and_more(call: Call, graph: Graph) -> bool:
    takers = graph.consumers().get(call.output, [])
    return len(takers) > 1 and any(type(taker.kind).__name__ == "Concatenate" for taker in takers if taker)


def _check_normalization(call: Call, graph: Graph) -> None:
    before = graph.producers().get(call.inputs[0])
    while before is not None and type(before.kind).__name__ in ("Identity",):
        before = graph.producers().get(before.inputs[0])
    alone = before is not None and len(graph.consumers()[before.output]) == 1
    if before is None or not alone or type(before.kind).__name__ not in _BEFORE_NORMALIZATION:
        raise no_twin(call, " that does not follow a two-dimensional convolution of its own")
    function = getattr(before.kind, "activation", None)
    if getattr(function, "__name__", "linear") != "linear":
        raise no_twin(call, f" after the activation of {before.name!r}")
