"""The steps on TensorFlow."""

from typing import Any

from distiller.optimizers import pairs_gradients


class TensorFlowStep:
    """One teacher forward, one student forward on a gradient tape, one update."""

    def train_step(self: Any, data: Any) -> dict[str, Any]:
        """Train on one batch; returns the metrics so far in this epoch."""
        import tensorflow as tf

        x, targets = self.targets(data)
        taught = self.teacher_outputs(x, targets)
        optimizer = self.optimizer
        two = pairs_gradients(optimizer)
        # Gradients are summed over the replicas of a strategy, and the loss is a mean.
        share = 1 / tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.trainable_variables
        with tf.GradientTape(persistent=two is not None) as tape:
            outputs = self.student_outputs(x, training=True)
            parts = self.combine(taught, outputs, targets)
            loss = parts.task + parts.distillation
            scaled = [optimizer.scale_loss(part * share) for part in (parts[:2] if two else (loss,))]
        gradients = [tape.gradient(part, variables) for part in scaled]
        optimizer.apply(two.pack(gradients[0], gradients[1], variables) if two else gradients[0], variables)
        return self.update_metrics(loss, parts.terms, outputs, targets)

    def build_before_tracing(self: Any, batch: Any) -> None:
        """Make the variables of the optimiser and the metrics: a step that makes variables is traced a second time.

        `batch` is one of those to come, or None. With several replicas Keras does it.
        """
        if self.run_eagerly or self.distribute_strategy.num_replicas_in_sync > 1:
            return
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if batch is not None:
            x, targets = self.targets(batch)
            self.update_metrics(0.0, {}, self.student_outputs(x), targets)
            self.reset_metrics()

    def test_step(self: Any, data: Any) -> dict[str, Any]:
        """Evaluate the student on one batch; returns the metrics so far."""
        return self.evaluate_student(*self.targets(data))

    def mean_over_replicas(self: Any, value: Any) -> Any:
        """The mean of a number over the replicas of `tf.distribute`'s strategy."""
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)
