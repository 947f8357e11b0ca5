"""Messages for a name that is none of the known ones: the nearest first."""

import difflib
from collections.abc import Iterable


def unknown(argument: str, received: object, known: Iterable[str]) -> str:
    """One sentence with all known names, and the nearest where one is near.

    >>> unknown("scheme", "int-8", ["float32", "int8"])
    "Invalid value for `scheme`. Expected one of ['float32', 'int8']. Received: scheme='int-8'. Did you mean 'int8'?"
    >>> unknown("scheme", "INT8", ["float32", "int8"])
    "Invalid value for `scheme`. Expected one of ['float32', 'int8']. Received: scheme='INT8'. Did you mean 'int8'?"
    """
    names = list(known)
    spelled = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(received).lower(), spelled, n=1, cutoff=0.5)
    hint = f". Did you mean {spelled[near[0]]!r}?" if near else ""
    return f"Invalid value for `{argument}`. Expected one of {names}. Received: {argument}={received!r}{hint}"
