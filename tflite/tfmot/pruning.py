"""Magnitude pruning: the smallest weights become zero while a model trains."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tflite.errors import ModelError
from tflite.quantization.saved import keras_model
from tflite.tfmot.library import library
from tflite.tfmot.methods import Method
from tflite.tfmot.rebuild import Rebuilt
from tflite.tfmot.selection import check_selected, selected, wrap

if TYPE_CHECKING:
    from pathlib import Path

    import keras


@dataclass(frozen=True)
class Pruned(Method):
    """Zeros in kernels, more with each update of the masks; see `prune` for the options."""

    kind: ClassVar[str] = "prune"
    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    frequency: int
    exclude: tuple[str, ...] = ()

    def apply(self, rebuilt: Rebuilt) -> Any:
        """The network with a mask on each kernel."""
        sparsity = library().tfmot.sparsity.keras
        from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry

        schedule = sparsity.PolynomialDecay(
            self.initial_sparsity, self.final_sparsity, self.begin_step, self.end_step, frequency=self.frequency
        )
        chosen = selected(rebuilt, prune_registry.PruneRegistry._LAYERS_WEIGHTS_MAP, self.exclude)
        check_selected(chosen, rebuilt, "pruned")
        network = wrap(rebuilt, chosen, lambda layer: sparsity.prune_low_magnitude(layer, schedule))
        for layer in wrappers(network):
            layer.pruning_step.assign(0)
        return network


def prune(
    model: "keras.Model | str | Path",
    *,
    final_sparsity: float,
    end_step: int,
    initial_sparsity: float = 0.0,
    begin_step: int = 0,
    frequency: int = 100,
    exclude: Iterable[str] = (),
) -> "keras.Model":
    """A copy of a model to train on while its smallest weights become zero (Zhu & Gupta 2017, 1710.01878, eq. 1).

    The sparsity, the share of zeros in each kernel of a convolution or dense layer, follows with the training step t

        final + (initial − final) · (1 − (t − begin) / (end − begin))³,

    in updates of the masks every few steps; after `end_step` the masks stay. Depthwise kernels are left whole. Train
    with the callback `tflite.PruningStep`, and take the result with `tflite.plain`. After it,
    `tflite.quantize_aware(…, engine="tfmot", preserve="sparsity")` keeps the zeros in an integer file.

    Args:
        model: a trained functional or sequential model, or a `.keras` file of one. It stays as it is.
        final_sparsity: in [0, 1).
        end_step: training step of the last update; the training has at least as many.
        initial_sparsity: of the first update, in [0, 1).
        begin_step: training step of the first update.
        frequency: at most so many steps between two updates.
        exclude: names of layers that are left whole, or patterns such as "block1_*".

    Raises:
        ModelError: the model or an option is wrong, or tensorflow-model-optimization is not installed.
    """
    for name, share in (("initial_sparsity", initial_sparsity), ("final_sparsity", final_sparsity)):
        if not 0.0 <= share < 1.0:
            raise ModelError(f"Invalid value for `{name}`. Expected a share in [0, 1). Received: {name}={share}")
    if not 0 <= begin_step < end_step:
        raise ModelError(f"Expected 0 ≤ begin_step < end_step. Received: begin_step={begin_step}, end_step={end_step}")
    if frequency < 1:
        raise ModelError(f"Invalid value for `frequency`. Expected at least 1. Received: frequency={frequency}")
    model = keras_model(model)
    library()
    from tflite.quantization.checks import check
    from tflite.tfmot.network import wrapped

    check(model)
    excluded = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    every = _dividing(end_step - begin_step, frequency)
    return wrapped(model, Pruned(initial_sparsity, final_sparsity, begin_step, end_step, every, excluded))


def wrappers(network: Any) -> list[Any]:
    """The layers of a Keras 2 network that have a mask."""
    return [layer for layer in network.layers if hasattr(layer, "pruning_vars")]


def _dividing(span: int, most: int) -> int:
    """The greatest divisor of `span` up to `most`: with any other the last update, at the end, would be left out."""
    return next(number for number in range(min(span, most), 0, -1) if span % number == 0)
