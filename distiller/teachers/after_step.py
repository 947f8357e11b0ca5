"""Distillers whose teacher changes with every step."""

from typing import Any

import keras


def after_step_class() -> type:
    """The mixin, before `Distiller` in the order of classes, that calls `after_step()` in every training step.

    The teacher's variables have to be among the Distiller's own.
    """
    return JaxAfterStep if keras.backend.backend() == "jax" else TensorFlowAfterStep


class TensorFlowAfterStep:
    """On TensorFlow variables are what they are: in a graph, too."""

    def train_step(self: Any, data: Any) -> dict[str, Any]:
        """Train on one batch; returns the metrics so far in this epoch."""
        logs = super().train_step(data)  # type: ignore[misc]
        self.after_step()
        return logs


class JaxAfterStep:
    """On JAX all that changes is passed in and out, and a teacher that is not would be a constant."""

    def train_step(self: Any, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """Train on one batch; `state` holds trainable, other, optimizer and metric variables."""
        with _holding(self.non_trainable_variables, state[1]):
            logs, (trainable, fixed, slots, counts) = super().train_step(state, data)  # type: ignore[misc]
        variables = [*self.trainable_variables, *self.non_trainable_variables, *self.optimizer.variables]
        with _holding(variables, [*trainable, *fixed, *slots]) as scope:
            self.after_step()
        fixed = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return logs, (trainable, fixed, slots, counts)


def _holding(variables: list[Any], values: list[Any]) -> keras.StatelessScope:
    """A scope in which the variables hold these values."""
    return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))
