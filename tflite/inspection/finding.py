"""A thing in a file that costs time, memory or accuracy on a phone, and what a rule needs to find it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator
from tflite.utils.record import Record


@dataclass(frozen=True)
class Finding(Record):
    """Something to mend: `kind` for machines, `where` the names of operators' outputs or of tensors, then in words."""

    kind: str
    where: tuple[str, ...]
    what: str
    remedy: str


@dataclass(frozen=True)
class Facts:
    """Input of the rules: the file and the partitions that XNNPACK takes of it, None where it cannot be run."""

    file: Flatbuffer
    partitions: tuple[tuple[int, ...], ...] | None

    @property
    def delegated(self) -> frozenset[int]:
        """Indices of the operators that XNNPACK takes."""
        return frozenset(index for partition in self.partitions or () for index in partition)


def places(operators: Sequence[Operator]) -> tuple[str, ...]:
    """Places of operators."""
    return tuple(operator.place for operator in operators)


def names(operators: Sequence[Operator]) -> str:
    """Number of operators of each kind.

    >>> names([Operator(0, "ELU", (), ()), Operator(1, "ELU", (), ()), Operator(2, "CAST", (), ())])
    '2 ELU, 1 CAST'
    """
    kinds = [operator.name for operator in operators]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
