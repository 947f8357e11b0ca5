"""Quantization-aware training by tensorflow-model-optimization."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.internals import set_name
from tflite.tfmot.library import library
from tflite.tfmot.methods import Method
from tflite.tfmot.pixels import INPUT, PIXELS, quantize_config
from tflite.tfmot.ranges import kernel_ranges, start_with_first_batch
from tflite.tfmot.rebuild import Rebuilt
from tflite.tfmot.support import refuse
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    import keras

PRESERVE = ("sparsity", "clusters")

# More distinct numbers than this, and a kernel is not clustered: 8 bits have no more.
_MOST_CLUSTERS = 256

# The default of the argument, which stands for no argument.
_MOMENTUM_OF_NATIVE = 0.99


@dataclass(frozen=True)
class Quantized(Method):
    """Quantization to 8 bits.

    Attributes:
        preserve: "sparsity" or "clusters" of kernels that are to stay, or None.
        input_range: of the input where it is known beforehand.
    """

    kind: ClassVar[str] = "quantize"
    quantizes: ClassVar[bool] = True
    preserve: str | None = None
    input_range: tuple[float, float] | None = None

    @property
    def pixels(self) -> tuple[float, float]:
        """The range of inputs that the network rescales first: raw pixels unless it is known to be another."""
        return self.input_range or PIXELS

    @property
    def needs_kernels(self) -> bool:
        """True if the zeros or clusters of the kernels have to be known."""
        return self.preserve is not None

    def apply(self, rebuilt: Rebuilt) -> Any:
        """The network with wrappers that round kernels and activations.

        Raises:
            ModelError: a layer that tensorflow-model-optimization does not quantize; the message names it.
        """
        keras2, tfmot = library()
        refuse(rebuilt)

        def annotated(layer: Any) -> Any:
            if layer.name in rebuilt.rescaling:
                config = quantize_config(tfmot, rebuilt.rescaling[layer.name])
                return tfmot.quantization.keras.quantize_annotate_layer(layer, config)
            return tfmot.quantization.keras.quantize_annotate_layer(layer)

        try:
            with tfmot.quantization.keras.quantize_scope(), warnings.catch_warnings():
                # Of the kernels that have no clusters, where clusters are to stay.
                warnings.filterwarnings("ignore", "No clustering performed", UserWarning)
                marked = keras2.models.clone_model(rebuilt.network, clone_function=annotated)
                network = tfmot.quantization.keras.quantize_apply(marked, self._scheme(tfmot))
        except (ValueError, RuntimeError, TypeError) as error:
            raise ModelError(
                f"Expected a model that tensorflow-model-optimization can quantize. Received: {rebuilt.network.name!r},"
                f" of which it says: {error}. Use engine='native'"
            ) from error
        # Its name has the number of such layers in the process, and would enter the file.
        set_name(input_layer(network), INPUT)
        if rebuilt.rescaling or self.input_range:
            fix_input(network, self.pixels)
        start_with_first_batch(network)
        kernel_ranges(network)
        return network

    def frozen(self, network: Any) -> set[str]:
        """The kernels that are made of centroids, which are trained in their place."""
        return {
            weight.name
            for layer in network.layers
            for weight, _, values in getattr(layer, "_weight_vars", ())
            if "cluster_centroids_tf" in values
        }

    def _scheme(self, tfmot: Any) -> Any:
        from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
            default_8bit_quantize_scheme as schemes,
        )

        if self.preserve == "sparsity":
            return tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
        if self.preserve == "clusters":
            return tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=False)
        return schemes.Default8BitQuantizeScheme()


def quantize_aware(
    model: "keras.Model",
    *,
    scheme: str,
    exclude: Iterable[str],
    overrides: Any,
    input_range: tuple[float, float] | None,
    momentum: float,
    preserve: str | None,
) -> "keras.Model":
    """Implement `tflite.quantize_aware` for engine="tfmot"; the arguments are explained there.

    Raises:
        ModelError: options that this engine does not have, or a layer that it cannot quantize.
    """
    for name, received, expected in (
        ("scheme", scheme, "int8"),
        ("exclude", tuple(exclude), ()),
        ("overrides", overrides or None, None),
    ):
        if received != expected:
            raise ModelError(
                f"Expected {name}={expected!r} with engine='tfmot'. Received: {name}={received!r}. "
                "Use engine='native' for it"
            )
    if momentum != _MOMENTUM_OF_NATIVE:
        raise ModelError(
            f"Expected no `momentum` with engine='tfmot', whose moving averages have 0.999. Received: {momentum}"
        )
    if preserve is not None:
        _check_preserved(model, preserve)
    from tflite.tfmot.network import wrapped

    known = None if input_range is None else (float(input_range[0]), float(input_range[1]))
    return wrapped(model, Quantized(preserve, known))


def fix_input(network: Any, known: tuple[float, float]) -> None:
    """Round the input in a known range, in place of the extremes of what comes."""
    quantizers = library().tfmot.quantization.keras.quantizers
    input_layer(network).quantizer = quantizers.FixedQuantizer(8, *known, False)


def input_layer(network: Any) -> Any:
    """The layer that rounds the input."""
    return next(layer for layer in network.layers if type(layer).__name__ == "QuantizeLayer")


def _check_preserved(model: "keras.Model", preserve: str) -> None:
    """Raise unless some kernel has what is to be preserved."""
    if preserve not in PRESERVE:
        raise ModelError(unknown("preserve", preserve, PRESERVE))
    kernels = [np.asarray(weight) for weight in model.weights if weight.name == "kernel" and weight.trainable]
    if preserve == "sparsity" and not any((kernel == 0).any() for kernel in kernels):
        raise ModelError(
            f"Expected kernels with zeros for preserve='sparsity'. Received: {model.name!r} without one. "
            "Prune it first: tflite.prune, training, tflite.plain"
        )
    few = [kernel for kernel in kernels if len(np.unique(kernel)) <= min(_MOST_CLUSTERS, kernel.size - 1)]
    if preserve == "clusters" and not few:
        raise ModelError(
            f"Expected kernels of at most {_MOST_CLUSTERS} distinct numbers for preserve='clusters'. Received: "
            f"{model.name!r} without one. Cluster it first: tflite.cluster, training, tflite.plain"
        )
