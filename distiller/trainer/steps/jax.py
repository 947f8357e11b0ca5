"""The steps on JAX: the same, with all state passed in and out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from distiller.networks.internals import BeforeSymbolicBuild, peek
from distiller.optimizers import pairs_gradients
from distiller.trainer.steps.interface import SteppedTraining

State = tuple[list[Any], ...]


class JaxStep(BeforeSymbolicBuild):
    """One teacher forward, one student forward under `jax.vjp`, one update."""

    _look: Callable[[Any], None] | None = None

    @contextmanager
    def looking(self: SteppedTraining, look: Callable[[Any], None] | None) -> Iterator[None]:
        """Let the next training show its first batch to `look`, out of its own iterator and before it is stepped on."""
        self._look = look
        try:
            yield
        finally:
            self._look = None

    def before_symbolic_build(self: SteppedTraining, iterator: Any, batch: Any) -> Any:
        """Look at the first batch, of which Keras makes loss and metrics."""
        # Keras makes loss and metrics here, of the shapes of a first batch. Of a stream it would be lost: it is put
        # back. And here the variables still hold their values, which in an epoch they do not.
        look, self._look = self._look, None
        if iterator is not None:
            batch = peek(iterator)
            if batch is None and look is not None:
                batch = next((next(batches) for _, _, batches in iterator), None)
        if look is not None and batch is not None:
            look(batch)
        return batch

    def train_step(self: SteppedTraining, state: State, data: Any) -> tuple[dict[str, Any], State]:
        """Train on one batch; `state` holds trainable, other, optimizer and metric variables."""
        import jax

        trainable, fixed, slots, counts = state
        x, targets = self.targets(data)
        teacher_outputs = self.teacher_outputs(x, targets)
        two = pairs_gradients(self.optimizer)

        def scaled_losses(values: list[Any]) -> Any:
            mapping = _pair(
                (self.trainable_variables, values),
                (self.non_trainable_variables, fixed),
                (self.optimizer.variables, slots),
            )
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
                outputs = self.student_outputs(x, training=True)
                parts = self.combine(teacher_outputs, outputs, targets)
                loss = parts.task + parts.distillation
                scaled = [self.optimizer.scale_loss(part) for part in (parts[:2] if two else (loss,))]
            seen = loss, parts.terms, outputs
            return scaled, (seen, parts.samples, _now(scope, self.non_trainable_variables, fixed))

        scaled, backward, (seen, samples, fixed) = jax.vjp(scaled_losses, trainable, has_aux=True)
        gradients = [
            backward([float(i == j) * jax.numpy.ones_like(s) for j, s in enumerate(scaled)])[0]
            for i in range(len(scaled))
        ]
        if two:
            reached = _reached(lambda values: scaled_losses(values)[0], trainable)
            gradients = [
                [gradient if reaches else None for gradient, reaches in zip(of_loss, of, strict=True)]
                for of_loss, of in zip(gradients, reached, strict=True)
            ]
        packed = two.pack(*gradients) if two else gradients[0]
        trainable, slots = self.optimizer.stateless_apply(slots, packed, trainable)
        with keras.StatelessScope(state_mapping=_pair((self.metrics_variables, counts))) as scope:
            loss, terms, outputs = seen
            logs = self.update_metrics(loss, terms, outputs, targets, samples)
        return logs, (trainable, fixed, slots, _now(scope, self.metrics_variables, counts))

    def build_before_tracing(self: SteppedTraining, batch: Any) -> None:
        """Nothing: on JAX Keras makes all variables before it traces a step."""

    def test_step(self: SteppedTraining, state: State, data: Any) -> tuple[dict[str, Any], State]:
        """Evaluate the student on one batch; `state` holds trainable, other and metric variables."""
        trainable, fixed, counts = state
        mapping = _pair(
            (self.trainable_variables, trainable),
            (self.non_trainable_variables, fixed),
            (self.metrics_variables, counts),
        )
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self.evaluate_student(*self.targets(data))
        return logs, (trainable, fixed, _now(scope, self.metrics_variables, counts))

    def mean_over_replicas(self: SteppedTraining, value: Any) -> Any:
        """`value`: on JAX a step sees the batch of all devices."""
        return value


def _reached(losses: Callable[[list[Any]], list[Any]], values: list[Any]) -> list[list[bool]]:
    """For each loss, which of the values it depends on: `jax.vjp` gives zeros for the others, and no None."""
    import jax

    jaxpr = jax.make_jaxpr(losses)(values).jaxpr
    found = []
    for loss in jaxpr.outvars:
        needed = _variables([loss])
        for equation in reversed(jaxpr.eqns):
            if needed.intersection(equation.outvars):
                needed |= _variables(equation.invars)
        found.append([variable in needed for variable in jaxpr.invars])
    return found


def _variables(parts: Iterable[Any]) -> set[Any]:
    """The variables of a jaxpr among what an equation takes; the others are literals, which have a value."""
    return {part for part in parts if not hasattr(part, "val")}


def _pair(*lists: tuple[Iterable[Any], Iterable[Any]]) -> list[tuple[Any, Any]]:
    return [pair for variables, values in lists for pair in zip(variables, values, strict=True)]


def _now(scope: keras.StatelessScope, variables: Iterable[Any], before: Iterable[Any]) -> list[Any]:
    """The values of variables after a scope: what was assigned in it, or what they held before."""
    found = []
    for variable, old in zip(variables, before, strict=True):
        new = scope.get_current_value(variable)
        found.append(old if new is None else new)
    return found
