"""The weights of the terms of a loss."""

from collections.abc import Mapping

from distiller.errors import InputError
from distiller.networks.scheduled import Adjustable, Number, as_number, corners
from distiller.objectives import Objective
from distiller.trainer.targets import LABELS
from distiller.utils.suggestions import unknown


def term_weights(weights: Mapping[str, Number], objectives: Mapping[str, Objective]) -> dict[str, Adjustable]:
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
    return {name: Adjustable(checked_weight(name, as_number(weights.get(name, 1.0)))) for name in known}


def checked_weight(name: str, weight: Number) -> Number:
    """`weight`, if neither it nor an end of its schedule is below zero or infinite; else InputError."""
    for number in corners(weight):
        if not 0 <= number < float("inf"):
            raise InputError(
                f"Invalid weight for {name!r}. Expected a number ≥ 0 or a schedule of such. Received: {number}"
            )
    return weight
