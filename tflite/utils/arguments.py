"""Numbers that someone passed, in the types that this package computes with."""

import math
import operator
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from tflite.errors import ModelError


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of any type, NumPy's too, as an int.

    >>> whole("runs", 5, 1)
    5

    Raises:
        ModelError: another value, or one below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ModelError(f"{_invalid(name)}. Expected a whole number. Received: {name}={value!r}") from error
    if number < least:
        raise ModelError(f"{_invalid(name)}. Expected at least {least}. Received: {name}={number}")
    return number


def finite(name: str, value: Any, least: float = -math.inf) -> float:
    """A real number of any type as a float.

    Raises:
        ModelError: another value, an infinity or NaN, or one below `least`.
    """
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{_invalid(name)}. Expected a number. Received: {name}={value!r}") from error
    if not math.isfinite(number):
        raise ModelError(f"{_invalid(name)}. Expected a finite number. Received: {name}={number}")
    if number < least:
        raise ModelError(f"{_invalid(name)}. Expected at least {least:g}. Received: {name}={number:g}")
    return number


def wholes(name: str, given: Any, least: int) -> list[int]:
    """One whole number or several, as a list.

    Raises:
        ModelError: none at all, or what `whole` refuses.
    """
    return [whole(name, value, least) for value in several(name, given, Integral)]


def several(name: str, given: Any, kind: Any) -> list[Any]:
    """One value of a kind or several of any, as a list.

    Raises:
        ModelError: none at all, or what is neither a value of that kind nor a sequence.
    """
    try:
        values = [given] if isinstance(given, kind) else list(given)
    except TypeError as error:
        raise ModelError(f"{_invalid(name)}. Expected one value or a list. Received: {name}={given!r}") from error
    if not values:
        raise ModelError(f"Expected at least one value for `{name}`. Received: none")
    return values


def arrays(name: str, given: Any) -> Any:
    """An array of numbers, or a dictionary of such; None where None is given.

    Raises:
        ModelError: arrays of something else, or lists of several lengths.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {key: arrays(name, values) for key, values in given.items()}
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ModelError(f"Expected `{name}` as arrays of numbers. Received: {error}") from error
    if array.dtype.kind not in "biuf":
        raise ModelError(f"Expected `{name}` as arrays of numbers. Received: {array.dtype}")
    return array


def _invalid(name: str) -> str:
    return f"Invalid value for `{name}`"
