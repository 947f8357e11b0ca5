"""Which operators XNNPACK takes."""

from pathlib import Path
from typing import Any

from tflite.errors import ModelError
from tflite.interpreter import allocate


def partitions(interpreter: Any, path: str | Path) -> tuple[tuple[int, ...], ...] | None:
    """The operators of each partition that XNNPACK takes, by their index; None where the file cannot be run here.

    Args:
        interpreter: opened with the delegate and not allocated yet: allocating applies the delegate.
        path: of the file, for messages.
    """
    operators = {int(operator["index"]): operator for operator in interpreter._get_ops_details()}
    try:
        allocate(interpreter, path)
    except ModelError:
        return None
    producers = {int(tensor): index for index, operator in operators.items() for tensor in operator["outputs"]}
    found = []
    for delegate in interpreter._get_ops_details():
        # The list grows by one DELEGATE a partition, with the tensors that enter and leave it.
        if delegate["index"] in operators:
            continue
        outside = set(map(int, delegate["inputs"]))
        inside: set[int] = set()
        ahead = list(map(int, delegate["outputs"]))
        while ahead:
            tensor = ahead.pop()
            index = producers.get(tensor)
            if tensor not in outside and index is not None and index not in inside:
                inside.add(index)
                ahead += map(int, operators[index]["inputs"])
        found.append(tuple(sorted(inside)))
    return tuple(found)
