"""Names of classes on two sides, of which the one answers for the other."""

from collections.abc import Iterable, Sequence

from distiller.errors import InputError


def check(names: Iterable[str], source: str) -> None:
    """See that names of classes can stand in files of labels and in tables: one line of text each, in UTF-8.

    `source` is where they come from, for the message.

    Raises:
        InputError: one cannot.
    """
    for name in names:
        if name.splitlines() != [name] or not _is_text(name):
            raise InputError(
                f"Expected names of classes of one line of text each, in UTF-8, in {source!r}. Received: {name!r}. "
                "Rename that class"
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # the bytes of a name that is not UTF-8
        return False
    return True


def differ(theirs: Sequence[str], ours: Sequence[str]) -> bool:
    """Return whether two lists of names are known to be of other classes, or of the same in another order.

    Names that are only numbers, which classes without names have, say nothing beside words.

    >>> differ(["cat", "dog"], ["dog", "cat"]), differ(["1", "0"], ["0", "1"]), differ(["cat", "dog"], ["0", "1"])
    (True, True, False)
    """
    numbers = [all(name.isdecimal() for name in names) for names in (theirs, ours)]
    return list(theirs) != list(ours) and numbers[0] == numbers[1]


def first_difference(theirs: Sequence[str], ours: Sequence[str]) -> str:
    """First difference between two lists of as many names, in words.

    >>> first_difference(["cat", "dog", "eel"], ["cat", "eel", "dog"])
    "class 1 is 'dog' there and 'eel' here"
    """
    place = next(place for place, (one, other) in enumerate(zip(theirs, ours, strict=True)) if one != other)
    return f"class {place} is {theirs[place]!r} there and {ours[place]!r} here"
