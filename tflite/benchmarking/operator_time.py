"""Share of each operator in the time of a run."""

from dataclasses import dataclass
from typing import Any

from tflite.utils.record import Record


@dataclass(frozen=True)
class OperatorTime(Record):
    """The time of one operator in one run of the model.

    Args:
        name: what tells it apart: the tensor that it writes, or the kernel that ran.
        type: operator, as in CONV_2D; of a delegated one what the delegate calls it.
        mean_ms: milliseconds a run, the mean over the runs that were profiled.
        share: `mean_ms` as a fraction of the time of all operators.
        calls: how often it runs in one run of the model.
        delegated: whether a delegate ran it, and not the interpreter's own kernel.
    """

    name: str
    type: str
    mean_ms: float
    share: float
    calls: int
    delegated: bool


# What XNNPACK calls an elementwise operator that it has no name for; a chain of them may be one.
_READABLE = {"Invalid Unary Op": "Elementwise, one input", "Invalid Binary Op": "Elementwise, two inputs"}


def readable(kind: str) -> str:
    """The type of an operator as a reader should see it: a placeholder of the runtime sounds like an error.

    >>> readable("Invalid Unary Op"), readable("CONV_2D")
    ('Elementwise, one input', 'CONV_2D')
    """
    return _READABLE.get(kind, kind)


def from_fields(fields: Any) -> OperatorTime:
    """The operator of a JSON object.

    >>> from_fields({"name": "y", "type": "ADD", "mean_ms": 1, "share": 1, "calls": 1, "delegated": True}).type
    'ADD'
    """
    return OperatorTime(**{**fields, "type": readable(fields.get("type"))})
