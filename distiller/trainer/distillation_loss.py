"""The distillation loss: objectives built on the networks, a weight for each term, and one term for each objective."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.networks.masks import MASK, hides
from distiller.networks.scheduled import Number, ScheduledValue, as_number, corners
from distiller.objectives import Objective, get
from distiller.objectives.independent import Independent
from distiller.trainer.pairing import Pairing
from distiller.trainer.targets import LABELS, Targets, over, rows
from distiller.utils.suggestions import unknown


def by_name(objectives: Any) -> dict[str, Objective]:
    """The objectives of a Distiller by their names.

    Raises:
        InputError: no dict of names, or one of its values is no objective.
    """
    if not isinstance(objectives, Mapping):
        received = objectives if isinstance(objectives, str) else type(objectives).__name__
        raise InputError(
            'Expected `objectives` as a dict of name → objective, for example {"soft": "hinton"}; the names are those '
            f"of the metrics. Received: {received!r}"
        )
    return {name: get(objective) for name, objective in objectives.items()}


def build(name: str, objective: Objective, pairing: Pairing) -> None:
    """Build an objective on the shapes that it will see.

    Raises:
        InputError: it does not fit the networks, or does not return one loss per sample.
    """
    compared = pairing.compared(name, objective, *pairing.symbols())
    if isinstance(objective, Independent):
        # One logit has no softmax; which form several have, the loss tells.
        objective.settle(independent=all(tensor.shape[-1] == 1 for tensor in keras.tree.flatten(compared)))

    def spec(tensor: Any) -> Any:
        shape = tensor.shape if objective.student_layer is not None else (None, tensor.shape[-1])
        return keras.KerasTensor(shape, dtype=tensor.dtype)

    try:
        ids = {"ids": keras.KerasTensor((None,), dtype="int32")} if objective.needs_ids else {}
        specs = keras.tree.map_structure(spec, compared)
        loss = objective(*specs, keras.KerasTensor((None,), dtype="int32"), **ids)
    except (ValueError, TypeError) as error:
        raise InputError(f"Objective {name!r} does not fit the networks: {error}") from error
    if len(loss.shape) != 1:
        raise InputError(
            f"Expected objective {name!r} to return one loss per sample, shape (batch,). Received: {loss.shape}"
        )


def check_masks(name: str, objective: Objective, pairing: Pairing) -> None:
    """Raise InputError where an objective would see positions that a mask hides.

    Logits of sequences are compared position by position, and those that are hidden do not count. In features they
    would.
    """
    related = objective.across or objective.compares == "relations"
    if objective.student_layer is None and related and MASK in pairing.student.output:
        raise InputError(
            f"Objective {name!r} compares the samples of a batch with each other, and would see the positions that the "
            "student's mask hides"
        )
    sides = zip(
        ("teacher", "student"),
        pairing.compared(name, objective, *pairing.symbols()),
        (objective.teacher_layer, objective.student_layer),
        strict=True,
    )
    for role, features, taps in sides:
        if taps is not None and any(len(one.shape) > 2 and hides(one) for one in keras.tree.flatten(features)):
            raise InputError(
                f"Objective {name!r} would compare the positions of {taps!r} that the {role}'s mask hides. Compare the "
                "logits, or features behind a pooling that leaves those out, such as GlobalAveragePooling1D"
            )


def also_takes(objective: Objective) -> set[str]:
    """The optional arguments that an objective's `call` takes."""
    wanted = {"training", "ids"} if objective.needs_ids else {"training"}
    return wanted & inspect.signature(objective.call).parameters.keys()


def no_teacher(student: keras.Model, objectives: Mapping[str, Objective]) -> keras.Model:
    """The zero teacher, where no objective asks one; InputError where one does."""
    from distiller.networks.zero_teacher import zero_teacher

    asking = [name for name, objective in objectives.items() if objective.needs_teacher]
    if asking:
        raise InputError(f"Expected a teacher for the objectives {asking}. Received: None")
    return zero_teacher(student)


def term_weights(weights: Mapping[str, Number], objectives: Mapping[str, Objective]) -> dict[str, ScheduledValue]:
    """A weight for the labels and for each objective by name; 1 where none is given.

    Raises:
        InputError: a weight of something else, or below zero; or an objective with the name of another term.
    """
    for name, use in ((LABELS, "the hard labels' term"), ("loss", "the sum of all terms")):
        if name in objectives:
            raise InputError(f"{name!r} is the name of {use}. Name the objective otherwise")
    known = (LABELS, *objectives)
    if not isinstance(weights, Mapping):
        raise InputError(
            'Expected `weights` as a dict of name → number or schedule, for example {"labels": 0.1}; the names are '
            f"{', '.join(map(repr, known))}. Received: {weights!r}"
        )
    for name in weights:
        if name not in known:
            raise InputError(unknown("weight", name, known))
    return {name: ScheduledValue(checked_weight(name, as_number(weights.get(name, 1.0)))) for name in known}


def checked_weight(name: str, weight: Number) -> Number:
    """`weight`, if neither it nor an end of its schedule is below zero or infinite; else InputError."""
    for number in corners(weight):
        if not 0 <= number < float("inf"):
            raise InputError(
                f"Invalid weight for {name!r}. Expected a number ≥ 0 or a schedule of such. Received: {number}"
            )
    return weight


def objective_term(
    name: str,
    objective: Objective,
    pairing: Pairing,
    teacher_outputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    targets: Targets,
    mean_over_replicas: Callable[[Any], Any],
    **also: Any,
) -> Any:
    """The mean of weight · loss over samples, or over the positions of sequences that no mask hides; a float32 scalar.

    Logits of more than two dimensions are compared position by position: each is a sample to the objective.
    """
    teacher, student = pairing.compared(name, objective, teacher_outputs, outputs)
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
