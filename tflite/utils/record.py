"""Base of every result: a frozen dataclass that becomes JSON."""

import dataclasses
import json
import math
from numbers import Integral
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Record:
    """A result.

    JSON has no numbers but finite ones: one that is infinite or not a number becomes null.
    """

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON: paths are strings, tuples are lists."""
        return json.loads(self.to_json())

    def to_json(self) -> str:
        """The fields as JSON text."""
        return json.dumps(_finite(dataclasses.asdict(self)), indent=1, default=_plain)


def _finite(value: Any) -> Any:
    """A structure of dictionaries, lists and tuples with None for the numbers that are not finite.

    >>> _finite({"a": (1.5, float("nan")), "b": [float("inf")]})
    {'a': [1.5, None], 'b': [None]}
    """
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Integral):  # of NumPy
        return int(value)
    raise TypeError(f"{type(value).__name__} does not become JSON")
