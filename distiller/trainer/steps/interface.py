"""Interface between a training step and the training that it is a part of."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import keras

if TYPE_CHECKING:
    from distiller.trainer.base import Loss
    from distiller.trainer.targets import Targets


class SteppedTraining(Protocol):
    """`trainer.base.Training` as a step sees it: the methods that it calls and the attributes that it uses.

    Attributes:
        optimizer: None before `compile`.
        trainable_variables: of the students, and of objectives that learn.
        non_trainable_variables: such as the statistics of batch normalizations.
        metrics_variables: counters of the metrics.
        run_eagerly: True where a step is not compiled.
        steps_per_execution: batches that one call of the compiled step trains on.
        distribute_strategy: `tf.distribute`'s.
        train_function: the compiled step of TensorFlow.
    """

    _look: Callable[[Any], None] | None
    optimizer: Any
    trainable_variables: list[keras.Variable]
    non_trainable_variables: list[keras.Variable]
    metrics_variables: list[keras.Variable]
    run_eagerly: bool
    steps_per_execution: int
    distribute_strategy: Any
    train_function: Callable[[Any], Any]

    def targets(self, data: Any) -> tuple[Any, "Targets"]:
        """Inputs and targets of a batch as `fit` passes it."""

    def teacher_outputs(self, x: Any, targets: "Targets | None" = None) -> Mapping[str, Any]:
        """The teachers' outputs by name."""

    def student_outputs(self, x: Any, training: bool = False) -> dict[str, Any]:
        """The students' outputs by name."""

    def combine(self, teacher_outputs: Mapping[str, Any], outputs: Mapping[str, Any], targets: "Targets") -> "Loss":
        """The losses of a batch."""

    def update_metrics(
        self, loss: Any, terms: Mapping[str, Any], outputs: Mapping[str, Any], targets: "Targets", samples: Any
    ) -> dict[str, Any]:
        """Count a batch in every metric; returns their results."""

    def evaluate_student(self, x: Any, targets: "Targets") -> dict[str, Any]:
        """Count a batch by its labels alone; returns the results."""

    def reset_metrics(self) -> None:
        """Set every metric to its start."""
