"""Numbers that may change during a training without a new trace: weights and temperatures."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import ops

from distiller.networks.internals import flatten_layers

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
Number: TypeAlias = float | Schedule


@keras.saving.register_keras_serializable("distiller", name="Adjustable")  # as files that are saved name it
class ScheduledValue(keras.layers.Layer):
    """A number in a variable, or a schedule over the steps of the optimizer.

    Args:
        value: a number, which `assign` changes later also where a training step is already compiled; or a
            `keras.optimizers.schedules` schedule.

    >>> temperature = ScheduledValue(4.0)
    >>> temperature.assign(2.0)
    >>> float(temperature.now())
    2.0
    """

    def __init__(self, value: Number, **kwargs: Any):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.schedule: Schedule | None = value if callable(value) else None
        self.clock: Callable[[], Any] = _no_step
        self.fetch: Callable[[], Any] = _nothing
        if self.schedule is None:
            start = keras.initializers.Constant(float(value))
            self.number = self.add_weight(shape=(), initializer=start, trainable=False, name="number")
        self.built = True

    @property
    def value(self) -> Number:
        """The schedule, or the number as it is now."""
        if self.schedule:
            return self.schedule
        self.fetch()
        return float(ops.convert_to_numpy(self.number.value))

    def assign(self, value: float) -> None:
        """Change the number.

        Raises:
            TypeError: it follows a schedule.
        """
        if self.schedule is not None:
            raise TypeError(f"Expected a number to change. It follows {type(self.schedule).__name__}")
        self.fetch()
        self.number.assign(value)

    def now(self) -> Any:
        """The number at the current step, a float32 scalar."""
        return ops.cast(self.schedule(self.clock()), "float32") if self.schedule else self.number.value

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        value = keras.saving.serialize_keras_object(self.schedule) if self.schedule else self.value
        return {**super().get_config(), "value": value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScheduledValue":
        """One of that configuration."""
        return cls(**{**config, "value": as_number(config["value"])})


# Keras keeps the variables of a layer in a dict under the name of its class: files that are saved have this one.
ScheduledValue.__name__ = "Adjustable"


def attach(model: keras.Model, clock: Callable[[], Any]) -> None:
    """Let every such number in a model follow its steps, and be read and changed during its epochs.

    Args:
        model: which is trained.
        clock: how often its optimizer has updated it.
    """
    for part in flatten_layers(model):
        if isinstance(part, ScheduledValue):
            part.clock = clock
            # On JAX the variables do not hold the state while an epoch runs.
            part.fetch = getattr(model, "jax_state_sync", _nothing)


def corners(value: Number) -> list[float]:
    """The number; of a schedule, its numbers at the start, at the end, and where it bends or jumps.

    >>> corners(keras.optimizers.schedules.PiecewiseConstantDecay([10], [4.0, 1.0]))
    [4.0, 4.0, 1.0]
    """
    if not callable(value):
        return [value]
    warm, long = (getattr(value, name, 0) or 0 for name in ("warmup_steps", "decay_steps"))
    jumps = getattr(value, "boundaries", ())
    steps = sorted({0, warm, long, warm + long, *jumps, *(step + 1 for step in jumps)})
    return [float(ops.convert_to_numpy(value(step))) for step in steps]


def as_number(value: Any) -> Number:
    """A number or schedule from itself or from what `serialize_keras_object` made of it."""
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


def _no_step() -> Any:
    return 0


def _nothing() -> None:
    return None
