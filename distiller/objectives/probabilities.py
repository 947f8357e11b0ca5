"""Probabilities where logits are expected: numbers tell what the layers of a network do not."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras

from distiller.errors import InputError
from distiller.networks.endings import tensor_may_be_probabilities
from distiller.networks.feature_extraction import TAKE_OFF, entry, in_words
from distiller.networks.internals import calls, made_by
from distiller.networks.overridden import check_same_answers
from distiller.objectives.from_keras import FromKeras

if TYPE_CHECKING:
    from distiller.trainer.distiller import Distiller

_SAMPLES = 16


def are_probabilities(answers: Any) -> bool:
    """True where every row of (…, classes) is at least 0 and sums to 1, as those of a softmax, and no logits do.

    >>> import numpy as np
    >>> are_probabilities(np.array([[0.5, 0.5], [0.1, 0.9]])), are_probabilities(np.array([[0.5, 0.5], [3.0, -2.0]]))
    (True, False)
    """
    exact = keras.backend.standardize_dtype(answers.dtype) in ("float32", "float64")
    rows = keras.ops.convert_to_numpy(answers).astype("float64")
    if rows.ndim < 2 or not rows.size or rows.shape[-1] < 2:
        return False
    rows = rows.reshape(-1, rows.shape[-1])
    # A single row of logits may come close to it by chance.
    tolerance = 1e-5 if len(rows) == 1 else 1e-3 if exact else 1e-2
    return bool((rows >= 0).all() and (abs(rows.sum(-1) - 1) <= tolerance).all())


def refuse_probabilities(answers: Any, role: str) -> None:
    """Raise InputError where the answers of a network (…, classes) are probabilities."""
    if are_probabilities(answers):
        raise InputError(
            f"The {role} answers probabilities: rows that are at least 0 and sum to 1. Expected logits: {TAKE_OFF}, or "
            "let a subclassed network return what is before its softmax"
        )


def check_logits_of(distiller: "Distiller", x: Any, taught: Any) -> None:
    """Raise InputError where a network answers probabilities to a batch, and something takes them for logits.

    Networks that end in a product with a kernel are not asked: its answers are none.

    Args:
        distiller: its objectives on logits, its losses of logits and its bridges take logits.
        x: inputs (batch, …), of which a few are looked at.
        taught: stored outputs of the teachers by name, where there are any.
    """
    pairing = distiller.pairing
    few = keras.tree.map_structure(lambda part: part[:_SAMPLES], x)
    for role, network in pairing.given.items():
        if role == "student" or taught is None:
            check_same_answers(network, role, few)
    answers, of_student = pairing.symbols()
    compared = [pairing.compared(name, objective, answers, of_student) for name, objective in _on_logits(distiller)]
    asked = {id(tensor) for teacher, _ in compared for tensor in keras.tree.flatten(teacher)}
    if taught is not None:
        for name, value in taught.items():
            if id(answers[name]) in asked and are_probabilities(value):
                raise InputError(
                    f"The stored answers {in_words(name)!r} of the teacher are probabilities: rows that sum to 1. "
                    "Expected logits, of which the logarithms of probabilities are some"
                )
    for network in () if taught is not None else pairing.teachers:
        found = [tensor for tensor in network.outputs if id(tensor) in asked] + list(_taken_for_logits(network))
        _check(network, found, few, "teacher")
    wanted = [tensor for _, student in compared for tensor in keras.tree.flatten(student)]
    losses = distiller.label_losses.items()
    wanted += [of_student[name] for name, loss in losses if getattr(loss, "from_logits", False)]
    _check(pairing.student, wanted, few, "student")


def _on_logits(distiller: "Distiller") -> Iterable[tuple[str, Any]]:
    """The objectives that compare logits; those of Keras on named layers may compare anything."""
    for name, objective in distiller.objectives.items():
        anything = isinstance(objective, FromKeras) and objective.teacher_layer is not None
        if objective.compares == "logits" and not anything:
            yield name, objective


def _taken_for_logits(network: keras.Model) -> Iterable[keras.KerasTensor]:
    """The tensors that layers inside a network take for logits, as bridges and ensembles are."""
    for operation in network.operations:
        if getattr(operation, "takes_logits", False):
            for tensor in calls(operation)[0].input_tensors:
                before, node, _ = made_by(tensor)
                yield node.input_tensors[0] if isinstance(before, keras.layers.Rescaling) else tensor


def _check(network: keras.Model, tensors: Iterable[keras.KerasTensor], few: Any, role: str) -> None:
    suspect = list({id(tensor): tensor for tensor in tensors if tensor_may_be_probabilities(tensor)}.values())
    if not suspect:
        return
    for answers in keras.tree.flatten(keras.Model(entry(network), suspect)(few, training=False)):
        refuse_probabilities(answers, role)
