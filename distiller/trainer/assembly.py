"""Puts objectives and networks together; what does not fit shows here."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.masks import MASK, hides
from distiller.objectives import Objective, get
from distiller.objectives.independent import Independent
from distiller.trainer.pairing import Pairing


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

    def spec(tensor):
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
    from distiller.networks.zero_teacher import silent

    asking = [name for name, objective in objectives.items() if objective.needs_teacher]
    if asking:
        raise InputError(f"Expected a teacher for the objectives {asking}. Received: None")
    return silent(student)
