"""What benchmarks' commands take."""

import argparse


def whole(text: str) -> int:
    """A number of 1 or more, as a `type` of argparse.

    >>> whole("3")
    3
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return number
