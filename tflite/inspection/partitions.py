"""Partitions of operators that XNNPACK takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tflite.errors import ModelError
from tflite.model_file.interpreter import allocate


def partitions(interpreter: Any, path: str | Path) -> tuple[tuple[int, ...], ...] | None:
    """The operators of each partition that XNNPACK takes, by their index; None where the file cannot be run here.

    Args:
        interpreter: opened with the delegate and not allocated yet: allocating applies the delegate.
        path: of the file, for messages.
    """
    count = len(interpreter._get_ops_details())
    try:
        allocate(interpreter, path)
    except ModelError:
        return None
    return taken(interpreter, count)


def taken(interpreter: Any, count: int) -> tuple[tuple[int, ...], ...]:
    """The same of an interpreter that is ready to run, of a file of so many operators."""
    details = interpreter._get_ops_details()
    operators = {int(operator["index"]): operator for operator in details if operator["index"] < count}
    producers = {int(tensor): index for index, operator in operators.items() for tensor in operator["outputs"]}
    found: list[tuple[int, ...]] = []
    for delegate in details:
        # The list grows by one DELEGATE a partition, with the tensors that enter and leave it.
        if delegate["index"] in operators:
            continue
        outside = set(map(int, delegate["inputs"]))
        claimed = {index for partition in found for index in partition}
        inside = _behind(map(int, delegate["outputs"]), outside, operators, producers)
        if not len(delegate["outputs"]):  # it ends in operators that set variables, and nothing leaves it
            for index, operator in operators.items():
                before = _behind(map(int, operator["inputs"]), outside, operators, producers)
                if not len(operator["outputs"]) and len(operator["inputs"]) and not (before | {index}) & claimed:
                    inside |= before | {index}
        if inside:
            found.append(tuple(sorted(inside)))
    return tuple(found)


def _behind(
    tensors: Iterable[int], outside: set[int], operators: dict[int, Any], producers: dict[int, int]
) -> set[int]:
    """The operators that tensors are computed by, from those outside on."""
    found: set[int] = set()
    ahead = list(tensors)
    while ahead:
        tensor = ahead.pop()
        index = producers.get(tensor)
        if tensor not in outside and index is not None and index not in found:
            found.add(index)
            ahead += map(int, operators[index]["inputs"])
    return found
