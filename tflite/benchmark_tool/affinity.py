"""Processor cores that a program may use: the mask that `taskset` takes."""

import re
from collections.abc import Sequence
from operator import index

from tflite.errors import ModelError


def affinity_mask(cores: Sequence[int] | str, *, available: int | None = None) -> str:
    """A mask in hexadecimal digits.

    >>> affinity_mask([4, 5]), affinity_mask("0-3,6"), affinity_mask("0xf0")
    ('30', '4f', 'f0')

    Args:
        cores: numbers from 0, as a list, as text "4-7" or "0,2", or a mask of bits "0xf0".
        available: how many cores there are, where that is known.

    Raises:
        ModelError: none of these, no core at all, or one that is not there.
    """
    try:
        numbers = _numbers(cores) if isinstance(cores, str) else [index(core) for core in cores]
    except TypeError:
        numbers = []
    if not numbers or not all(0 <= core < 1024 for core in numbers):
        raise ModelError(
            f"Expected processor cores as in [4, 5], '4-7' or '0xf0' for `cores`. Received: cores={cores!r}"
        )
    if available and max(numbers) >= available:
        raise ModelError(f"Expected cores from 0 to {available - 1}. Received: {max(numbers)} in cores={cores!r}")
    return f"{sum(1 << core for core in set(numbers)):x}"


def check_threads(threads: int, mask: str) -> None:
    """Return whether each thread has a core of its own: threads that share one are slower than fewer would be.

    Raises:
        ModelError: there are fewer cores in the mask.
    """
    cores = int(mask, 16).bit_count()
    if threads > cores:
        raise ModelError(
            f"Expected a core for each thread. Received: threads={threads} on {cores} of the cores, mask {mask}"
        )


def _numbers(text: str) -> list[int]:
    """The cores that a text names; none where it is none of the known forms."""
    text = text.strip().lower()
    if re.fullmatch(r"0x[0-9a-f]{1,64}", text):
        mask = int(text, 16)
        return [core for core in range(mask.bit_length()) if mask >> core & 1]
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,4})(?:-([0-9]{1,4}))?\s*", part)
        if match is None:
            return []
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            return []
        numbers += range(first, last + 1)
    return numbers
