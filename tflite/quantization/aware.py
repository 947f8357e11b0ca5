"""A trainable model that computes with the numbers its integer file will have."""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError
from tflite.keras_graph.copying import copied, remade
from tflite.keras_graph.graph import Call, Graph, read, write
from tflite.quantization.checks import check, check_file, check_input_range, is_aware
from tflite.quantization.decompose import decompose
from tflite.quantization.insert_fake_quant import insert_fake_quant
from tflite.quantization.outputs import named
from tflite.quantization.saved import keras_model
from tflite.quantization.schemes import SCHEMES, Scheme
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    from pathlib import Path

    import keras

__all__ = ["ENGINES", "is_aware", "quantize_aware"]

ENGINES = ("native", "tfmot")


def quantize_aware(
    model: "keras.Model | str | Path",
    *,
    engine: str = "native",
    scheme: str = "int8",
    exclude: Iterable[str] = (),
    overrides: Mapping[str, str] | None = None,
    input_range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    momentum: float = 0.99,
    preserve: str | None = None,
) -> "keras.Model":
    """A copy of a model to train on with the rounding of its integer file built in (Jacob et al. 2018, 1712.05877).

    The copy has the same weights, inputs and outputs, and layers and outputs of the same names. Kernels are rounded
    symmetrically with a scale for each output channel, activations with one range a tensor, which follows the batches
    of the training. Rounding has the gradient of the identity. After training, `tflite.convert(aware, path, scheme=…)`
    needs no images. It saves as any model does; `tflite.load_model` loads it. `keras.models.load_model` names outputs
    after the last layers, "logits_quantized" in place of "logits".

    A layer that is several operators at run time is written as those: attention as projections, products and a softmax,
    `TimeDistributed` as its layer on all steps at once. Kernels of more than two axes become matrices of the same
    numbers there. A nested model is written out.

    Args:
        model: a functional or sequential model with float32 inputs, or a `.keras` file of one. It stays as it is.
        engine: "native"; or "tfmot", tensorflow-model-optimization, which has 8 bits alone, takes fewer layers, and
            whose model is a single layer.
        scheme: "int8"; "int16x8" has activations of 16 bits; "int4" has kernels of 4 bits; "dynamic" rounds kernels
            alone, since its file rounds activations to the range of each image.
        exclude: names of layers that the training leaves in floating point, or patterns such as "block1_*"; that of a
            nested model is of all in it. In the
            file those compute in floating point that the integer runtime has no kernel for; the others the converter
            rounds, as it does without training.
        overrides: pattern → scheme of the layers it matches; the last that matches counts. Activations have the bits
            of `scheme` throughout.
        input_range: lowest and highest number of the input, which holds zero; measured where it is not given. For a
            model that starts with a `Rescaling` layer it is (0, 255), raw pixels, which enter the file unchanged. Of
            several inputs {name: (low, high)}, by the names that `tflite.convert` gives them.
        momentum: of the moving averages of ranges.
        preserve: for engine="tfmot", what is to stay of `tflite.prune` or `tflite.cluster`: "sparsity" or "clusters".

    Raises:
        ModelError: an unknown engine, scheme or layer name; a momentum below 0, or of 1 or more; a model that is
            quantization-aware already, subclassed or with a Lambda layer; weights that are not finite or that Keras has
            quantized; an input of open sizes or one that is not float32; a layer that the integer
            runtime has no kernel for, or one that does not work channel by channel, which is named.
    """
    if engine not in ENGINES:
        raise ModelError(unknown("engine", engine, ENGINES))
    if scheme not in SCHEMES:
        raise ModelError(unknown("scheme", scheme, SCHEMES))
    model = keras_model(model)
    from tflite.tfmot.stripping import check_plain

    check_plain(model)
    check(model)
    ranges = check_input_range(model, input_range)
    if not 0 <= momentum < 1:
        raise ModelError(f"Invalid value for `momentum`. Expected 0 ≤ momentum < 1. Received: momentum={momentum}")
    if engine == "tfmot":
        from tflite.tfmot.quantizing import quantize_aware as by_tfmot

        return by_tfmot(
            model,
            scheme=scheme,
            exclude=exclude,
            overrides=overrides,
            input_range=ranges[0],
            momentum=momentum,
            preserve=preserve,
        )
    check_file(model)
    if preserve is not None:
        raise ModelError(f"Expected `preserve` only with engine='tfmot'. Received: engine={engine!r}")
    graph = read(model)
    schemes = _schemes(graph, SCHEMES[scheme], exclude, overrides or {})
    decompose(graph, bits=SCHEMES[scheme].activations)
    kernels = insert_fake_quant(graph, SCHEMES[scheme], schemes=schemes, input_range=ranges, momentum=momentum)
    return named(write(graph, lambda call: _aware(call, kernels)))


def _aware(call: Call, kernels: dict[Call, Scheme]) -> Any:
    """A layer with a rounded kernel in place of a plain one; a copy of anything else."""
    from tflite.quantization.kernels import AWARE

    if call not in kernels:
        return copied(call)
    return remade(call, AWARE[type(call.kind)], bits=kernels[call].weights)


def _schemes(
    graph: Graph, base: Scheme, exclude: Iterable[str], overrides: Mapping[str, str]
) -> dict[str, Scheme | None]:
    """Name of a layer → its scheme, None for floating point, where it has not that of the model."""
    found: dict[str, Scheme | None] = {}
    for pattern, scheme in overrides.items():
        if scheme not in SCHEMES:
            raise ModelError(unknown(f"overrides[{pattern!r}]", scheme, SCHEMES))
        if SCHEMES[scheme].activations != base.activations:
            same = [name for name, known in SCHEMES.items() if known.activations == base.activations]
            raise ModelError(
                f"Expected overrides of one of {same}, which have the activations of scheme={base.name!r}. "
                f"Received: {pattern!r}: {scheme!r}"
            )
        found.update(dict.fromkeys(_matching("overrides", pattern, graph), SCHEMES[scheme]))
    for pattern in (exclude,) if isinstance(exclude, str) else exclude:
        found.update(dict.fromkeys(_matching("exclude", pattern, graph)))
    return found


def _matching(argument: str, pattern: str, graph: Graph) -> list[str]:
    """The layers that a pattern is of, or those in the nested models that it is of."""
    found = [call.name for call in graph.calls if fnmatch.filter((call.name, *call.around), pattern)]
    if not found:
        raise ModelError(unknown(argument, pattern, dict.fromkeys(call.name for call in graph.calls)))
    return found
