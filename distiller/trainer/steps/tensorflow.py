"""The steps on TensorFlow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from distiller.optimizers import pairs_gradients
from distiller.trainer.steps.interface import SteppedTraining


class TensorFlowStep:
    """One teacher forward, one student forward on a gradient tape, one update."""

    _look: Callable[[Any], None] | None = None

    @contextmanager
    def looking(self: SteppedTraining, look: Callable[[Any], None] | None) -> Iterator[None]:
        """Let the next training show its first batch to `look`, out of its own iterator and before it is stepped on.

        What is distributed over replicas comes in parts, and is not shown.
        """
        self._look = look
        try:
            yield
        finally:
            self._look = None

    def make_train_function(self: SteppedTraining, force: bool = False) -> None:
        """As `keras.Model.make_train_function`."""
        super().make_train_function(force)  # type: ignore[misc]
        step = self.train_function
        if self._look is None:
            return

        def first(iterator: Any) -> Any:
            self.train_function, look = step, self._look
            return step(iterator if look is None else _shown(iterator, look, self.steps_per_execution))

        self.train_function = first

    def train_step(self: SteppedTraining, data: Any) -> dict[str, Any]:
        """Train on one batch; returns the metrics so far in this epoch."""
        import tensorflow as tf

        x, targets = self.targets(data)
        teacher_outputs = self.teacher_outputs(x, targets)
        optimizer = self.optimizer
        two = pairs_gradients(optimizer)
        # Gradients are summed over the replicas of a strategy, and the loss is a mean.
        share = 1 / tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.trainable_variables
        with tf.GradientTape(persistent=two is not None) as tape:
            outputs = self.student_outputs(x, training=True)
            parts = self.combine(teacher_outputs, outputs, targets)
            loss = parts.task + parts.distillation
            scaled = [optimizer.scale_loss(part * share) for part in (parts[:2] if two else (loss,))]
        gradients = [tape.gradient(part, variables) for part in scaled]
        optimizer.apply(two.pack(gradients[0], gradients[1], variables) if two else gradients[0], variables)
        return self.update_metrics(loss, parts.terms, outputs, targets, parts.samples)

    def build_before_tracing(self: SteppedTraining, batch: Any) -> None:
        """Make the variables of the optimizer and the metrics: a step that makes variables is traced a second time.

        `batch` is one of those to come, or None. With several replicas Keras does it.
        """
        if self.run_eagerly or self.distribute_strategy.num_replicas_in_sync > 1:
            return
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if batch is not None:
            x, targets = self.targets(batch)
            self.update_metrics(0.0, {}, self.student_outputs(x), targets, 0.0)
            self.reset_metrics()

    def test_step(self: SteppedTraining, data: Any) -> dict[str, Any]:
        """Evaluate the student on one batch; returns the metrics so far."""
        return self.evaluate_student(*self.targets(data))

    def mean_over_replicas(self: SteppedTraining, value: Any) -> Any:
        """The mean of a number over the replicas of `tf.distribute`'s strategy."""
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)


def _shown(iterator: Any, look: Callable[[Any], None], batches: int) -> Any:
    """A stand-in for an iterator of batches in one call of a compiled step, once the first of them was looked at."""
    import tensorflow as tf

    if not isinstance(iterator, tf.data.Iterator):
        return iterator
    taken = [batch for _, batch in zip(range(batches), iterator, strict=False)]
    if not taken:
        return iterator
    absent = tf.experimental.Optional
    look(tf.nest.map_structure(lambda part: None if isinstance(part, absent) else part, taken[0]))
    first, *others = (_as_one_of(iterator.element_spec, batch) for batch in taken)
    for other in others:
        first = first.concatenate(other)
    return iter(first)


def _as_one_of(spec: Any, batch: Any) -> Any:
    """A dataset of one batch whose shapes are as open as those of `spec`: for others a step would be traced anew."""
    import tensorflow as tf

    shapes = [part.shape for part in tf.nest.flatten(spec, expand_composites=True)]

    def opened(batch: Any) -> Any:
        parts = tf.nest.flatten(batch, expand_composites=True)
        parts = [tf.raw_ops.PlaceholderWithDefault(input=p, shape=s) for p, s in zip(parts, shapes, strict=True)]
        return tf.nest.pack_sequence_as(batch, parts, expand_composites=True)

    return tf.data.Dataset.from_tensors((batch,)).map(opened)
