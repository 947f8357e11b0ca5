"""Error messages for names that do not exist: they say which ones do, nearest first."""

import difflib
from collections.abc import Iterable

from distiller.utils.shown import shown

# Letters of a name that are compared.
_LONGEST = 200


def unknown(kind: str, received: object, known: Iterable[str]) -> str:
    """One sentence that names the nearest known names, or all of them where none is near.

    >>> unknown("model", "resnet9", ["resnet8", "resnet20", "wide"])
    "Unknown model 'resnet9'. Did you mean 'resnet8', 'resnet20'? Known: resnet20, resnet8, wide."
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(received)[:_LONGEST], names, n=3, cutoff=0.6)
    hint = f" Did you mean {', '.join(repr(n) for n in near)}?" if near else ""
    return f"Unknown {kind} {shown(received)}.{hint} Known: {', '.join(names)}."
