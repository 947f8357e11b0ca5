"""Operators of a file that accelerators leave to the CPU, by what is documented of them, and why.

A list is no phone: the driver of a phone may refuse an operator that is in the list, and a newer delegate may take one
that is not. `tflite.android.evaluate` and `benchmark` tell what a phone really ran.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflite.inspection import gpu_list, nnapi_list, xnnpack_list
from tflite.inspection.finding import Facts
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator
from tflite.utils.record import Record


@dataclass(frozen=True)
class LeftOperator(Record):
    """An operator that a delegate leaves to the CPU: its place in the order of execution, its name, and why."""

    index: int
    name: str
    why: str


@dataclass(frozen=True)
class DelegateFit(Record):
    """A file beside the list of a delegate.

    `left` are the operators that are not in the list, or not with these types and shapes; for XNNPACK those that it did
    not take on this machine, with what its list says of them. `operators` is the number of all of the first subgraph.
    `notes` are sentences on the file as a whole, `source` is the address of the list.
    """

    delegate: str
    operators: int
    left: tuple[LeftOperator, ...]
    notes: tuple[str, ...]
    source: str

    @property
    def taken(self) -> int:
        """Number of operators that are in the list."""
        return self.operators - len(self.left)

    def reasons(self) -> dict[str, tuple[str, ...]]:
        """Reason → the names of the operators that it is the reason for, in their order."""
        found: dict[str, list[str]] = {}
        for operator in self.left:
            found.setdefault(operator.why, []).append(operator.name)
        return {why: tuple(names) for why, names in found.items()}


def fits(facts: Facts) -> tuple[DelegateFit, ...]:
    """The file beside the list of the GPU's delegate, NNAPI's and XNNPACK's."""
    file = facts.file
    notes = (_run_time_shapes(file.operators),) if _run_time_shapes(file.operators) else ()
    found = [
        _fit("gpu", file, gpu_list.why, gpu_list.SOURCE, (*notes, *gpu_list.notes(file))),
        _fit("nnapi", file, nnapi_list.why, nnapi_list.SOURCE, (*notes, *nnapi_list.notes(file))),
    ]
    if facts.partitions is not None:
        taken = facts.delegated
        reason = {operator.index: xnnpack_list.why(operator) for operator in file.operators}
        left = tuple(
            LeftOperator(operator.index, operator.name, reason[operator.index])
            for operator in file.operators
            if operator.index not in taken
        )
        found.append(DelegateFit("xnnpack", len(file.operators), left, (), xnnpack_list.SOURCE))
    return tuple(found)


def _fit(
    name: str, file: Flatbuffer, why: Callable[[Operator], str | None], source: str, notes: tuple[str, ...]
) -> DelegateFit:
    left = tuple(
        LeftOperator(operator.index, operator.name, reason)
        for operator in file.operators
        if (reason := why(operator)) is not None
    )
    return DelegateFit(name, len(file.operators), left, notes, source)


# Operators whose output has a size that depends on numbers, by the place of the input that says it; None for all.
_SIZED_BY = {
    "BROADCAST_TO": 1,
    "FILL": 0,
    "NON_MAX_SUPPRESSION_V4": None,
    "NON_MAX_SUPPRESSION_V5": None,
    "RANGE": 0,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 1,
    "RESIZE_NEAREST_NEIGHBOR": 1,
    "SLICE": 2,
    "TILE": 1,
    "UNIQUE": None,
    "WHERE": None,
}


def _run_time_shapes(operators: Sequence[Operator]) -> str:
    found = [operator.name for operator in operators if _is_sized_at_run_time(operator)]
    if not found:
        return ""
    return (
        f"{', '.join(dict.fromkeys(found))} have outputs whose size is known at run time alone: delegates that plan "
        "for fixed sizes are not applied to such a graph at all"
    )


def _is_sized_at_run_time(operator: Operator) -> bool:
    if operator.name not in _SIZED_BY:
        return False
    place = _SIZED_BY[operator.name]
    return place is None or (len(operator.inputs) > place and not operator.inputs[place].constant)
