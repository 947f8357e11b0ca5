"""Numbers that may change during a training without a new trace: weights and temperatures."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import ops

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
Number: TypeAlias = float | Schedule


@keras.saving.register_keras_serializable("distiller")
class Adjustable(keras.layers.Layer):
    """A number in a variable, or a schedule over the steps of the optimiser.

    Args:
        value: a number, which `assign` changes later also where a training step is already compiled; or a
            `keras.optimizers.schedules` schedule.

    >>> temperature = Adjustable(4.0)
    >>> temperature.assign(2.0)
    >>> float(temperature.now())
    2.0
    """

    def __init__(self, value: Number, **kwargs: Any):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.schedule: Schedule | None = value if callable(value) else None
        self.clock: Callable[[], Any] = _no_step
        if self.schedule is None:
            start = keras.initializers.Constant(float(value))
            self.number = self.add_weight(shape=(), initializer=start, trainable=False, name="number")
        self.built = True

    @property
    def value(self) -> Number:
        """The schedule, or the number as it is now."""
        return self.schedule or float(ops.convert_to_numpy(self.number.value))

    def assign(self, value: float) -> None:
        """Change the number.

        Raises:
            TypeError: it follows a schedule.
        """
        if self.schedule is not None:
            raise TypeError(f"Expected a number to change. It follows {type(self.schedule).__name__}")
        self.number.assign(value)

    def now(self):
        """The number at the current step, a float32 scalar."""
        return ops.cast(self.schedule(self.clock()), "float32") if self.schedule else self.number.value

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        value = keras.saving.serialize_keras_object(self.schedule) if self.schedule else self.value
        return {**super().get_config(), "value": value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Adjustable":
        """One of that configuration."""
        return cls(**{**config, "value": as_number(config["value"])})


def as_number(value: Any) -> Number:
    """A number or schedule from itself or from what `serialize_keras_object` made of it."""
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


def _no_step():
    return 0
