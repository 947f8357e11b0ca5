"""An optimizer that gives the distillation's gradient more momentum than the task's."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.internals import accumulate_in, index_in, trained_by

__all__ = ["DOT"]


@keras.saving.register_keras_serializable("distiller")
class DOT(keras.optimizers.Optimizer):
    """Stochastic gradient descent with a momentum for the task's gradient and a larger one for the distillation's.

    Zhao et al. 2023, 2307.08436, "DOT: A Distillation-Oriented Trainer": with the task's gradient g, the
    distillation's gradient d, and one velocity for each,

        v ← (momentum − delta) · v + g,  w ← (momentum + delta) · w + d,  variable ← variable − rate · (v + w).

    A variable that only one of the two losses reaches, such as an adapter, has the plain `momentum`, as in their
    code. `apply` of plain gradients is descent with that momentum too. With `delta=0` and a constant rate, DOT is
    `keras.optimizers.SGD` on the sum of the gradients.

    A training step computes both gradients and calls `apply_both`. Gradients travel through Keras as pairs, tensors
    of shape (2, *shape of the variable), so that clipping, weight decay, accumulation and averages work as in every
    Keras optimizer; norms are those of the pair. Where `apply_both` cannot be called, `pack` makes the pairs:

        optimizer.apply_both(of_task, of_distillation, variables)
        optimizer.stateless_apply(state, optimizer.pack(of_task, of_distillation), values)          # on JAX
        scaled.apply(scaled.inner_optimizer.pack(of_task, of_distillation, variables), variables)   # LossScaleOptimizer

    Args:
        learning_rate: number or `keras.optimizers.schedules` schedule.
        momentum: between the two momenta.
        delta: how far each of them is from `momentum`; 0.075 is the paper's for CIFAR-100.
        nesterov: look ahead by one step of momentum, for both.
        **kwargs: as in `keras.optimizers.Optimizer`; `weight_decay` is decoupled from the gradients, as in Keras.

    Raises:
        InputError: a momentum would be below 0, or 1 or more.

    >>> import keras
    >>> from keras import ops
    >>> from distiller.optimizers import DOT
    >>> variable = keras.Variable([1.0])
    >>> optimizer = DOT(0.1, momentum=0.9, delta=0.05)
    >>> for _ in range(2):
    ...     optimizer.apply_both([ops.ones(1)], [ops.ones(1)], [variable])
    >>> print(variable.numpy().round(3))
    [0.42]
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        momentum: float = 0.9,
        delta: float = 0.075,
        nesterov: bool = False,
        name: str = "dot",
        **kwargs: Any,
    ):
        if not (delta >= 0 and momentum - delta >= 0 and momentum + delta < 1):
            raise InputError(
                "Expected 0 ≤ momentum − delta and momentum + delta < 1, with delta ≥ 0. "
                f"Received: momentum={momentum}, delta={delta}"
            )
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum, self.delta, self.nesterov = momentum, delta, nesterov
        self._alone: set[int] = set()

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make two velocities for each variable, and where gradients are accumulated, pairs of accumulators."""
        if self.built:
            return
        # Keras would make accumulators of the shape of one gradient.
        steps: int | None = self.gradient_accumulation_steps
        self.gradient_accumulation_steps: int | None = None
        super().build(variables)
        self.gradient_accumulation_steps = steps
        self.task_velocities = self.add_optimizer_variables(variables, "task_velocity")
        self.distillation_velocities = self.add_optimizer_variables(variables, "distillation_velocity")
        if steps:
            accumulate_in(
                self, [self.add_variable((2, *v.shape), dtype=v.dtype, name="accumulated_pair") for v in variables]
            )

    def pack(self, task: Sequence[Any], distillation: Sequence[Any], variables: Any = None) -> list[Any]:
        """One pair a variable, (2, *its shape), or None where neither loss reaches it.

        Args:
            task: gradients of the task's loss and the regularizers, None where it does not reach a variable.
            distillation: gradients of the objectives' weighted losses, likewise.
            variables: those that the gradients belong to; by default those that the optimizer was built on.

        Raises:
            InputError: not as many gradients as variables.
        """
        if variables is not None and not self.built:
            self.build(list(variables))
        variables = trained_by(self) if variables is None else list(variables)
        if not len(task) == len(distillation) == len(variables):
            raise InputError(
                "Expected a gradient of each loss, or None, for each variable. "
                f"Received: {len(task)} and {len(distillation)} gradients for {len(variables)} variables"
            )
        pairs: list[Any] = []
        for g, d, variable in zip(task, distillation, variables, strict=True):
            index = index_in(self, variable)
            (self._alone.add if g is None or d is None else self._alone.discard)(index)
            if g is None and d is None:
                pairs.append(None)
            else:
                given = (ops.zeros(variable.shape, variable.dtype) if x is None else x for x in (g, d))
                pairs.append(ops.stack([ops.cast(x, variable.dtype) for x in given]))
        return pairs

    def apply_both(self, task: Sequence[Any], distillation: Sequence[Any], variables: Sequence[keras.Variable]) -> None:
        """Update `variables` from the gradients of the two losses; arguments and errors as of `pack`."""
        super().apply(self.pack(task, distillation, variables), list(variables))

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update from pairs that `pack` made, or from plain gradients, with the plain momentum."""
        variables = trained_by(self) if trainable_variables is None else list(trainable_variables)
        plain = [g is not None and len(g.shape) == len(v.shape) for g, v in zip(grads, variables, strict=True)]
        if any(plain):
            grads = self.pack(grads, [None] * len(variables), variables)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable by a pair of gradients."""
        index = index_in(self, variable)
        delta = 0.0 if index in self._alone else self.delta
        rate = ops.cast(learning_rate, variable.dtype)
        velocities = self.task_velocities[index], self.distillation_velocities[index]
        for part, (velocity, momentum) in enumerate(
            zip(velocities, (self.momentum - delta, self.momentum + delta), strict=True)
        ):
            g = ops.cast(gradient[part], variable.dtype)
            moved = ops.add(ops.multiply(velocity, ops.cast(momentum, variable.dtype)), g)
            self.assign(velocity, moved)
            step = g + ops.cast(momentum, variable.dtype) * moved if self.nesterov else moved
            self.assign_sub(variable, ops.multiply(rate, step))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"momentum": self.momentum, "delta": self.delta, "nesterov": self.nesterov}
        return {**super().get_config(), **own}


def pairs_gradients(optimizer: keras.optimizers.Optimizer) -> DOT | None:
    """The optimizer itself, or the one inside a loss scaling, if it wants a gradient of each of the two losses."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner if isinstance(inner, DOT) else None
