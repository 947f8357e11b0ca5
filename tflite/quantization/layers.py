"""Fake quantization of activations, as layers.

Keras finds the classes of a saved model by their registered names: import this module before
`keras.models.load_model` loads a quantization-aware model.
"""

from typing import Any

import keras
from keras import ops

from tflite.quantization.numerics import NARROWEST, around_zero, fake_quant

# In steps of the integers: more than the error of float32, and less than what averages of a hundred numbers differ by.
_OFF = 1e-3
# Binary places of a step that are no rounding at all in float32.
_MANY_PLACES = 16.0

register = keras.saving.register_keras_serializable("tflite")


@register
class FakeQuant(keras.layers.Layer):
    """Rounds activations to the numbers that integers stand for, in a range that it measures.

    The first batch of a training sets the range, and a moving average follows the batches after it; zero is always
    inside. Until then, and for ever without a training, activations pass as they are. Ranges are float32 whatever the
    precision of the model, and are the mean over the replicas of a distribution strategy.

    Args:
        bits: of the integers, 8 or 16.
        fixed: a range (low, high) known beforehand, in place of a measured one.
        momentum: of the moving average.
        exported: whether the rounding is written into the graph that is converted. The runtime has it built in for
            some activations, sigmoid for one.
        positive: whether it comes after a rectifier, so that the range starts at zero.
        twice: whether what it rounds comes from a kernel of 4 bits. The runtime rounds such products twice: first to
            2^−s of a step, s = `places` by channel, which `tflite.match_runtime` sets; it has no effect until then.
    """

    def __init__(
        self,
        bits: int = 8,
        *,
        fixed: tuple[float, float] | None = None,
        momentum: float = 0.99,
        exported: bool = True,
        positive: bool = False,
        twice: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.bits = bits
        self.twice = twice
        self.fixed = None
        if fixed is not None:
            self.fixed = around_zero(*fixed) if self.symmetric else (float(fixed[0]), float(fixed[1]))
        self.momentum = momentum
        self.exported = exported
        self.positive = positive
        self.supports_masking = True
        self.measuring = False

    @property
    def symmetric(self) -> bool:
        """True if zero is the integer zero: so for 16 bits, which the runtime takes in no other way."""
        return self.bits > 8

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        if self.fixed is None:
            self.low, self.high, self.measured, self.frozen = (
                self.add_weight(
                    name=name,
                    shape=(),
                    initializer="zeros",
                    dtype="float32",
                    trainable=False,
                    autocast=False,
                    aggregation="mean",
                )
                for name in ("low", "high", "measured", "frozen")
            )
        if self.twice:
            self.places = self.add_weight(
                name="places",
                shape=(input_shape[-1],),
                initializer=keras.initializers.Constant(_MANY_PLACES),
                dtype="float32",
                trainable=False,
                autocast=False,
            )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, follow: bool = True) -> Any:
        """Rounded activations, of the same shape and type.

        Args:
            inputs: activations.
            training: whether the range follows this batch.
            follow: False for what was computed from activations that this layer has rounded already, such as their
                averages, which are rounded in the same range.
        """
        if self.fixed is not None:
            inputs = inputs if follow else self._off_ties(inputs, *self.fixed)
            return self._rounded(inputs, *self.fixed)
        if self.measuring and follow:
            self._widen(inputs)
        elif training and self.trainable and follow:
            return self._rounded(inputs, *self._follow(inputs))
        low, high = ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.high)
        # A range that was not measured is empty, which the kernel of either branch must not see.
        high = ops.maximum(high, low + NARROWEST)
        inputs = inputs if follow else self._off_ties(inputs, low, high)
        inputs = self._first_rounded(inputs, low, high) if self.twice else inputs
        return ops.cond(
            ops.convert_to_tensor(self.measured) > 0.5, lambda: self._rounded(inputs, low, high), lambda: inputs
        )

    def _rounded(self, inputs: Any, low: Any, high: Any) -> Any:
        """`inputs` on the grid of a range."""
        positive = self.positive and not self.symmetric
        return fake_quant(inputs, low, high, bits=self.bits, symmetric=self.symmetric, positive=positive)

    def _first_rounded(self, inputs: Any, low: Any, high: Any) -> Any:
        """`inputs` on a grid of 2^−places of a step, a quarter of that above it: half of a step is rounded up."""
        step = (high - low) / (2**self.bits - 1)
        parts = 2.0 ** ops.convert_to_tensor(self.places) / step
        wide = ops.stop_gradient(ops.cast(inputs, "float32"))
        moved = (ops.floor(wide * parts + 0.5) + 0.25) / parts - wide
        return inputs + ops.cast(moved, inputs.dtype)

    def _off_ties(self, inputs: Any, low: Any, high: Any) -> Any:
        """`inputs` a little further from the integer zero, of int8 or int16.

        Averages of a few integers are often half way between two. There the runtime rounds away from that zero, and
        `fake_quant` up.
        """
        low, high = ops.cast(low, "float32"), ops.cast(high, "float32")
        step = (high - low) / (2**self.bits - 1)
        zero = 0.0 if self.symmetric else step * (2 ** (self.bits - 1) - ops.floor(0.5 - low / step))
        wide = ops.cast(inputs, "float32")
        return ops.cast(wide + _OFF * step * ops.sign(ops.stop_gradient(wide) - zero), inputs.dtype)

    def _follow(self, inputs: Any) -> Any:
        """Move the range towards this batch's, all the way in the first batch; returns the new range."""
        low, high = ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.high)

        def moved() -> Any:
            step = ops.where(ops.convert_to_tensor(self.measured) > 0.5, 1.0 - self.momentum, 1.0)
            found = self._extremes(inputs)
            return low + step * (found[0] - low), high + step * (found[1] - high)

        # Only the numbers are conditional: a variable of several replicas cannot be assigned inside a branch.
        # A range that was never measured is none to keep.
        still = ops.logical_and(ops.convert_to_tensor(self.frozen) > 0.5, ops.convert_to_tensor(self.measured) > 0.5)
        low, high = ops.cond(still, lambda: (low, high), moved)
        self.low.assign(low)
        self.high.assign(high)
        self.measured.assign(ops.ones(()))
        return low, high

    def _widen(self, inputs: Any) -> None:
        """Make the range hold this batch."""
        low, high = self._extremes(inputs)
        self.low.assign(ops.minimum(self.low, low))
        self.high.assign(ops.maximum(self.high, high))
        self.measured.assign(ops.ones(()))

    def _extremes(self, inputs: Any) -> Any:
        """The range of a batch, float32: it holds zero, which padding needs, and is never empty."""
        found = ops.cast(ops.stop_gradient(inputs), "float32")  # as the rounding does, and faster than in bfloat16
        high = ops.maximum(ops.max(found), 0.0)
        low = ops.zeros(()) if self.positive else ops.minimum(ops.min(found), 0.0)
        if self.symmetric:
            high = ops.maximum(high, -low)
            low = -high
        return low, ops.maximum(high, low + NARROWEST)

    def range(self) -> tuple[float, float] | None:
        """The range (low, high), or None where it was never measured."""
        if self.fixed is not None:
            return self.fixed
        if not float(ops.convert_to_numpy(self.measured)):
            return None
        return float(ops.convert_to_numpy(self.low)), float(ops.convert_to_numpy(self.high))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        names = ("bits", "fixed", "momentum", "exported", "positive", "twice")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class KeptFloat(keras.layers.Layer):
    """Says that what computes its input is not quantized."""

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape


@register
class Requantized(keras.layers.Layer):
    """Says that the runtime moves integers from the range of its input to that of what comes after it.

    The runtime does so by a number less exact than the ratio of the steps: `factor` is theirs, `lift` is what keeps
    half of a step from being rounded down. `tflite.match_runtime` sets both; it has no effect until then.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.factor, self.lift = (
            self.add_weight(name=name, shape=(), initializer=initial, dtype="float32", trainable=False, autocast=False)
            for name, initial in (("factor", "ones"), ("lift", "zeros"))
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The input, while it trains; otherwise as the runtime moves it."""
        if training:
            return inputs
        moved = ops.cast(inputs, "float32") * ops.convert_to_tensor(self.factor) + ops.convert_to_tensor(self.lift)
        return ops.cast(moved, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape
