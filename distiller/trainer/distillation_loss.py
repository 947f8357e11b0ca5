"""One term of the loss for each objective."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from distiller.networks.feature_extraction import LOGITS
from distiller.networks.masks import MASK
from distiller.objectives import Objective
from distiller.trainer.pairing import Pairing
from distiller.trainer.targets import Targets, over, rows


def objective_term(
    name: str,
    objective: Objective,
    pairing: Pairing,
    taught: Mapping[str, Any],
    outputs: Mapping[str, Any],
    targets: Targets,
    mean_over_replicas: Callable[[Any], Any],
    **also: Any,
) -> Any:
    """The mean of weight · loss over samples, or over the positions of sequences that no mask hides; a float32 scalar.

    Logits of more than two dimensions are compared position by position: each is a sample to the objective.
    """
    teacher, student = pairing.compared(name, objective, taught, outputs)
    layer = LOGITS if objective.student_layer is None else objective.student_layer
    output = layer if isinstance(layer, str) else None
    labels = targets.of(output or LOGITS)
    if objective.student_layer is None and pairing.first[name] in pairing.heads:
        labels = None  # an auxiliary head answers in the teacher's classes, of which no label is known
    of_logits = objective.student_layer is None
    weights = targets.weights_of(output)
    counted = rows(student, mask=outputs.get(MASK), weights=weights) if of_logits else _of_samples(weights)
    if of_logits and len(student.shape) > 2:
        labels = _by_row(labels, student)
        teacher, student = _flat(teacher), _flat(student)
        counted = None if counted is None else ops.reshape(counted, (-1,))
    samples = keras.tree.flatten(student)[0].shape[0]
    if isinstance(samples, int) and samples < objective.fewest:
        # Not a plain zero, by which adapters would have no gradient and optimizers would complain.
        return 0.0 * sum((ops.sum(weight) for weight in objective.trainable_variables), ops.zeros(()))
    per_sample = objective(teacher, student, labels, **also)
    shown = outputs[MASK] if MASK in outputs and of_logits else ops.ones_like(per_sample)
    total = ops.sum(per_sample if counted is None else per_sample * counted)
    return over(total, mean_over_replicas(ops.sum(shown)))


def added(losses: Iterable[Any]) -> Any:
    """The sum of what layers added by `add_loss` and of what regularizers cost, of any shapes."""
    return sum((ops.sum(ops.cast(loss, "float32")) for loss in losses), ops.zeros(()))


def _of_samples(weights: Any) -> Any:
    """Weights of samples, (batch,); of weights by position, their mean."""
    if weights is None:
        return None
    weights = ops.cast(weights, "float32")
    return ops.mean(ops.reshape(weights, (ops.shape(weights)[0], -1)), axis=-1)


def _by_row(labels: Any, logits: Any) -> Any:
    """Labels of every row of logits (batch, …, classes), as (rows,) or probabilities (rows, classes).

    None where there are none, or where they are not one a position, as those of a loss that pools a sequence.
    """
    if labels is None:
        return None
    shape, positions, classes = tuple(labels.shape), tuple(logits.shape[:-1]), logits.shape[-1]
    known = zip(shape, positions, strict=False)
    if len(shape) < len(positions) or any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in known):
        return None
    rest = shape[len(positions) :]
    return (
        ops.reshape(labels, (-1, classes) if rest == (classes,) else (-1,)) if rest in ((), (1,), (classes,)) else None
    )


def _flat(logits: Any) -> Any:
    return ops.reshape(logits, (-1, logits.shape[-1]))
