"""A teacher that is the average of what the student has been."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.scheduled import Number
from distiller.networks.subclassed import is_subclassed
from distiller.networks.weights import take_weights
from distiller.objectives import Objective
from distiller.trainer.base import deserialized
from distiller.trainer.distiller import Distiller


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


def decay_at(step: Any, decay: float) -> Any:
    """min(1 − 1 / (step + 1), decay), a float32 scalar: the plain mean of all weights so far, until `decay` is reached.

    As in the code of Tarvainen & Valpola 2017, 1703.01780.

    Args:
        step: how often the student has been updated, at least 1 after the first update.
        decay: at least 0 and below 1.

    >>> [round(float(decay_at(step, 0.7)), 3) for step in (1, 2, 3)]
    [0.5, 0.667, 0.7]
    """
    return ops.minimum(1.0 - 1.0 / (ops.cast(step, "float32") + 1.0), decay)


@keras.saving.register_keras_serializable("distiller")
class MeanTeacher(after_step_class(), Distiller):  # type: ignore[misc]
    """A `Distiller` whose teacher is an exponential moving average of its own student.

    Tarvainen & Valpola 2017, 1703.01780, equation 1: after step t, which left the student with the weights θ, the
    teacher has

        θ' ← a · θ' + (1 − a) · θ,    a = min(1 − 1 / (t + 1), decay).

    It starts as a copy of the student. Trained weights are averaged; those that are not, such as the moving statistics
    of a batch normalization, are the student's. A step is one of the optimizer: with accumulated gradients, one in
    several batches; a step that a loss scaling leaves out is none. t goes on after a new `compile`, whose optimizer
    counts from 0, and is saved with the Distiller. All of it happens in the compiled step, on TensorFlow and JAX, also
    with several `steps_per_execution`. The average usually is the better network: `distiller.teacher.save(…)`.

    Teacher and student see the same view of an image, the teacher in inference mode. Where they differ is the student's
    dropout and its batch statistics: with neither, an objective has little to say. The paper labels few of the images
    (−1 marks the others) and compares softmaxes, with a weight that goes up from 0: give a schedule.

    Args:
        student: functional or Sequential network with logits (batch, C).
        objectives, weights: as of `Distiller`.
        decay: at least 0 and below 1; 0.999 is the paper's, from 0.99 in the first epochs.

    Raises:
        InputError: the decay is out of range, the student is a subclassed model, or anything of `Distiller`.

    >>> import keras
    >>> from distiller.teachers import MeanTeacher
    >>> import numpy as np
    >>> student = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> distiller = MeanTeacher(student=student, objectives={"soft": "hinton"}, decay=0.99)
    >>> distiller.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> before = student.get_weights()[1]
    >>> history = distiller.fit(np.ones((4, 2)), np.array([0, 1, -1, -1]), verbose=0)
    >>> bool(np.allclose(distiller.teacher.get_weights()[1], (before + student.get_weights()[1]) / 2))
    True
    """

    def __init__(
        self,
        *,
        student: keras.Model,
        objectives: Mapping[str, Objective | str | dict[str, Any]],
        weights: Mapping[str, Number] | None = None,
        decay: float = 0.999,
        **kwargs: Any,
    ):
        if not 0 <= decay < 1:
            raise InputError(f"Invalid value for `decay`. Expected 0 ≤ decay < 1. Received: decay={decay}")
        average = _copy(student)
        super().__init__(teacher=average, student=student, objectives=objectives, weights=weights, **kwargs)
        self.decay = decay
        # Tracked, unlike the teacher of a Distiller: its weights change in the step.
        self.average = average
        self.updates = self._counter("updates")
        self.counted = self._counter("counted")  # what the optimizer said at the last of them

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `Distiller.compile`; the average goes on."""
        super().compile(*args, **kwargs)
        # A copy: on JAX two variables must not share an array.
        self.counted.assign(ops.convert_to_numpy(self.optimizer.iterations))

    def after_step(self) -> None:
        """Move the average, if the optimizer has updated the student since the last time."""
        step = ops.cast(self.optimizer.iterations, "int32")
        moves = ops.not_equal(step, self.counted)
        updates = self.updates + ops.cast(moves, "int32")
        keep = ops.where(moves, decay_at(updates, self.decay), 1.0)
        trained = {id(variable) for variable in self.student.trainable_variables}
        for mine, its in zip(self.average.weights, self.student.weights, strict=True):
            value = its.value
            if id(its) in trained:
                value = ops.cast(keep * ops.cast(mine, "float32") + (1 - keep) * ops.cast(its, "float32"), mine.dtype)
            mine.assign(value)
        self.updates.assign(updates)
        self.counted.assign(step)

    def _counter(self, name: str) -> keras.Variable:
        return self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name=name)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        config = super().get_config()
        for part in ("networks", "first", "auxiliary"):  # of the teacher, which is made of the student
            del config[part]
        return {**config, "decay": self.decay}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "MeanTeacher":
        """One of that configuration, with a new student."""
        parts = deserialized(config, custom_objects)
        fuse(parts["student"])
        return cls(**parts)


def _copy(student: keras.Model) -> keras.Model:
    if is_subclassed(student) or not isinstance(student, keras.Model):
        raise InputError(
            "Expected a functional or built Sequential student, which can be copied. "
            f"Received: {type(student).__name__}"
        )
    copy = keras.models.clone_model(student)
    take_weights(copy, student)
    copy.trainable = False
    return fuse(copy)
