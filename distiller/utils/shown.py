"""Values that somebody gave, as messages show them."""

import reprlib
from itertools import islice
from typing import Any

_LONGEST = 300


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 4, 12, 12, 12
        self.maxstring = self.maxother = self.maxlong = 200

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """A mapping in its own order."""
        if level <= 0 or not x:
            return "{...}" if x else "{}"
        pairs = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join([*pairs, *(["..."] if len(x) > self.maxdict else [])]) + "}"


_short = _Short()


def shown(value: object) -> str:
    """The `repr` of a value in 300 characters at most, whatever its size.

    >>> shown({"seeds": [1, 2]}), len(shown("a" * 10**6)), shown([[0] * 100] * 2)[:60]
    ("{'seeds': [1, 2]}", 200, '[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...], [0, 0, 0, 0, 0, ')
    """
    text = _short.repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def as_text(value: Any) -> Any:
    """A value of JSON with the bytes of names that are not UTF-8 written as text, as readers of JSON refuse them.

    >>> as_text({"file": ["caf\\udce9.keras", 3]})
    {'file': ['caf\\\\udce9.keras', 3]}
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {as_text(key): as_text(inner) for key, inner in value.items()}
    return [as_text(inner) for inner in value] if isinstance(value, list | tuple) else value
