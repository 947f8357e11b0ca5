"""Objectives whose logits a temperature softens."""

from typing import Any

import keras

from distiller.networks.scheduled import Number, ScheduledValue, as_number, corners
from distiller.objectives.objective import Objective, positive


class Softened(Objective):
    """An objective with a temperature, which may change during a training.

    Args:
        temperature: a number above 0, or a `keras.optimizers.schedules` schedule over the steps of the optimizer.
            A number may be given anew at any time: `objective.temperature = 2.0`, in a callback for example; a step
            that is compiled already then has it too.

    Raises:
        InputError: a number, also one of a schedule at its start, its end or a jump, is not above 0.
    """

    def __init__(self, *, temperature: Number, **kwargs: Any):
        super().__init__(**kwargs)
        self._temperature = ScheduledValue(self._checked(as_number(temperature)))

    @property
    def temperature(self) -> Number:
        """The schedule, or the number as it is now."""
        return self._temperature.value

    @temperature.setter
    def temperature(self, temperature: float) -> None:
        self._temperature.assign(self._checked(temperature))

    def temperature_now(self):
        """The temperature at the current step, a float32 scalar."""
        return self._temperature.now()

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        value = self.temperature
        written = keras.saving.serialize_keras_object(value) if callable(value) else value
        return {**super().get_config(), "temperature": written}

    def _checked(self, temperature: Any) -> Any:
        for number in corners(temperature):
            self.check_temperature(number)
        return temperature

    def check_temperature(self, temperature: float) -> float:
        """The temperature, or InputError where this objective has no use for it."""
        return positive("temperature", temperature)
