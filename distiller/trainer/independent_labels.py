"""Objectives beside the loss of the labels: what compares softmaxes says nothing of independent labels."""

from collections.abc import Iterable, Mapping

import keras

from distiller.errors import InputError
from distiller.networks.endings import is_sigmoid, last_operations
from distiller.networks.feature_extraction import TAKE_OFF
from distiller.networks.subclassed import is_subclassed
from distiller.objectives import Objective
from distiller.objectives.from_keras import FromKeras
from distiller.objectives.independent import Independent
from distiller.trainer.loss_kinds import Kind
from distiller.trainer.pairing import Pairing


def settle(name: str, objective: Objective, kind: Kind | None, classes: int | None) -> None:
    """Give an objective on logits the form that fits the loss of their labels.

    Args:
        name: of the objective.
        objective: compares logits of the output that has the loss.
        kind: of the loss.
        classes: size of the last axis of the logits.

    Raises:
        InputError: the loss is binary and the objective compares softmaxes, or the answers are probabilities; or it is
            not binary, and there is one logit.
    """
    binary = kind is not None and kind.labels == "binary"
    if binary and kind is not None and not kind.from_logits:
        raise InputError(
            f"Objective {name!r} compares logits, and the loss says that the student answers probabilities. Take its "
            f"sigmoid off, and compile with keras.losses.{kind.like.__name__}(from_logits=True)"
        )
    if isinstance(objective, Independent):
        objective.settle(independent=binary)
        if objective.softmax and classes == 1:
            raise InputError(
                f"Objective {name!r} compares softmaxes, and the softmax of one logit is 1, whatever it is. Expected a "
                "binary loss, such as keras.losses.BinaryCrossentropy(from_logits=True), or independent=True for the "
                "objective"
            )
    if binary and objective.softmax:
        way_out = "independent=True" if isinstance(objective, Independent) else "Hinton, TTM, WTTM or MeanSquaredLogits"
        raise InputError(
            f"Objective {name!r} compares softmaxes over classes, and beside a binary loss labels are independent of "
            f"each other: it would compare nothing that they mean. Expected {way_out}"
        )


def compares_logits(objective: Objective) -> bool:
    """True where it does: one of Keras on named layers may compare anything."""
    return objective.compares == "logits" and not (isinstance(objective, FromKeras) and objective.teacher_layer)


def check_teachers(networks: Iterable[keras.Model]) -> None:
    """Raise InputError where a network mixes the softmaxes of classes, as ensembles and some bridges do."""
    for network in networks:
        if any(getattr(operation, "mixes_classes", False) for operation in getattr(network, "operations", ())):
            raise InputError(
                "A class map, a transport or an ensemble makes one distribution over classes, and beside a binary loss "
                "labels are independent of each other. Expected a teacher with a logit for each label, such as one "
                "behind bridges.Subset or bridges.FineTune"
            )


def check_ending(student: keras.Model, kinds: Mapping[str, Kind]) -> None:
    """Raise InputError where a student of one output ends in a sigmoid, and its loss takes logits."""
    takes_logits = [kind for kind in kinds.values() if kind.from_logits]
    if is_subclassed(student) or len(student.outputs) > 1 or not takes_logits:
        return
    if any(map(is_sigmoid, last_operations(student))):
        raise InputError(f"The loss takes logits, and the student ends in a sigmoid: {TAKE_OFF}")


def settle_all(objectives: Mapping[str, Objective], pairing: Pairing, kinds: Mapping[str, Kind], logits: str) -> None:
    """Settle the objectives of a Distiller; `logits` is what the logits of its only output are called."""
    of_student = pairing.student.output
    for name, objective in objectives.items():
        output = logits if objective.student_layer is None else objective.student_layer
        if output not in pairing.outputs or pairing.first[name] in pairing.heads or not compares_logits(objective):
            continue
        kind = kinds.get(output)
        settle(name, objective, kind, of_student[output].shape[-1])
        if kind is not None and kind.labels == "binary":
            check_teachers([pairing.networks[pairing.first[name]]])
