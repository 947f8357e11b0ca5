"""Text from files, phones and other people's programs, made safe for a terminal."""

import builtins
import re
import sys
from typing import IO

# What a terminal obeys instead of showing it: control characters but for tab and line feed, what turns the direction of
# writing, line ends of other kinds, and the bytes of names that are not UTF-8.
_OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ALSO_LINES = re.compile(rf"{_OBEYED.pattern}|[\n\t]")


def printable(text: str) -> str:
    """A text with everything that a terminal would obey written as Python writes it in a string; lines stay lines.

    >>> printable("a\\x1b[31m red\\nname \\udce9")
    'a\\\\x1b[31m red\\nname \\\\udce9'
    """
    return _OBEYED.sub(_escaped, text)


def one_line(name: object) -> str:
    """A name from a file as a part of one line.

    >>> one_line("input\\n  output")
    'input\\\\n  output'
    """
    return _ALSO_LINES.sub(_escaped, str(name))


def print(text: str = "", *, end: str = "\n", file: IO[str] | None = None, flush: bool = False) -> None:
    """As Python's, of one text and made safe."""
    builtins.print(printable(text), end=end, file=sys.stdout if file is None else file, flush=flush)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
