"""Messages between parent and child: a line of JSON, with arrays in it."""

import base64
import json
from typing import Any

import numpy as np

_ARRAY = "__array__"

OUT_OF_MEMORY = "out of memory"


def encode(message: Any) -> bytes:
    r"""A message as one line.

    >>> encode({"job": "check", "seconds": 1.5})
    b'{"job": "check", "seconds": 1.5}\n'
    """
    return json.dumps(message, default=_plain).encode() + b"\n"


def decode(line: bytes) -> Any:
    """The message of a line.

    Raises:
        ValueError: a line that is none.
    """
    try:
        return json.loads(line, object_hook=_array)
    except RecursionError as error:
        raise ValueError("a message nested too deep") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        values = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {_ARRAY: values, "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise TypeError(f"{type(value).__name__} does not go through a pipe")


def _array(fields: dict[str, Any]) -> Any:
    if _ARRAY not in fields:
        return fields
    dtype = np.dtype(fields["dtype"])
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(base64.b64decode(fields[_ARRAY]), dtype).reshape(fields["shape"])
