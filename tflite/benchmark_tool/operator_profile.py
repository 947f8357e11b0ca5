"""Time by operator: the tool's tables, printed or as a CSV file, of every generation.

    ============================== Run Order ==============================
                 [node type]   [start]  [first] [avg ms]  [%]  [cdf%] [mem KB] [times called] [Name]     tab between
    node type, start, first, avg_ms, %, cdf%, mem KB, times called, name                                 comma and space

Columns are found by their names: newer tools have no `start`. The names of kernels hold commas themselves, "Fully
Connected (NC, QS8) GEMM": a row is read as numbers between two texts. Since 2022 a second table tells what happened
inside the delegate; LiteRT has all in one. The preparation, under a title of its own or among the rows, is left out,
and so is what LiteRT does around the operators, LiteRT::Run[buffer registration] and the like.
"""

import re

from tflite.benchmark_tool.lines import printable, whole_lines
from tflite.benchmark_tool.statistics import COUNT, NUMBER, Statistics, parse_statistics
from tflite.benchmarking.operator_time import OperatorTime, readable
from tflite.errors import ModelError

_REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs:"
_PREPARATION = "Profiling Info for Benchmark Initialization:"
_INSIDE = "Delegate internal:"
_TITLE = re.compile(r"=+ Run Order =+")
_NO_OPERATOR = re.compile(r"AllocateTensors|ModifyGraphWithDelegate|LiteRT::.*")
_DELEGATE = re.compile(r".*delegate.*|LITERT_.*", re.IGNORECASE)  # a partition as a whole
_NODES = re.compile(rf"Number of nodes executed: ({COUNT})")

# The tables' columns by their names in small letters without brackets, and what a number in them looks like.
_NUMERIC = {
    "start": NUMBER,
    "first": NUMBER,
    "avg ms": NUMBER,
    "%": rf"(?:{NUMBER}|-?nan)%",
    "cdf%": rf"(?:{NUMBER}|-?nan)%",
    "mem kb": NUMBER,
    "times called": COUNT,
}


def has_profile(text: str) -> bool:
    """Return whether there is a table of operators."""
    return any(_TITLE.fullmatch(line.strip()) for line in whole_lines(text))


def parse_profile(text: str) -> tuple[OperatorTime, ...]:
    """The operators of one run in their order, those inside a delegate after those that it left.

    Raises:
        ModelError: no table of operators, or one with rows that are missing or not understood.
    """
    lines = whole_lines(text)
    if _REGULAR in map(str.strip, lines):
        lines = lines[[line.strip() for line in lines].index(_REGULAR) :]
    elif _PREPARATION in map(str.strip, lines):
        raise ModelError("Expected a table of the operators of the runs. Received: that of the preparation alone")
    inside = next((i for i, line in enumerate(lines) if line.strip() == _INSIDE), len(lines))
    rows = [(*row, False) for row in _table(lines[:inside])]
    if inside < len(lines):
        # What stands in the first table for a whole partition is told in the second.
        rows = [row for row in rows if not _DELEGATE.fullmatch(row[0])]
        rows += [(*row, True) for row in _table(lines[inside:])]
    else:
        rows = [(*row[:-1], bool(_DELEGATE.fullmatch(row[0])) or row[1].startswith("Delegate/")) for row in rows]
    rows = [row for row in rows if not _NO_OPERATOR.fullmatch(row[0])]
    total = sum(milliseconds for _, _, milliseconds, _, _ in rows)
    return tuple(
        OperatorTime(name, readable(kind), milliseconds, milliseconds / total if total else 0.0, calls, delegated)
        for kind, name, milliseconds, calls, delegated in rows
    )


def _table(lines: list[str]) -> list[tuple[str, str, float, int]]:
    """Type, name, milliseconds a run and calls a run of each row of the first table."""
    start = next((i for i, line in enumerate(lines) if _TITLE.fullmatch(line.strip())), None)
    if start is None or start + 1 >= len(lines):
        raise ModelError("Expected a table of operators in their run order. Received: none")
    commas, columns = _columns(lines[start + 1])
    form = _row_form(columns, commas)
    rows = []
    ended = False
    for line in lines[start + 2 :]:
        if not line.strip():
            ended = True
            break
        match = form.fullmatch(line)
        if match is None:
            raise ModelError(f"Expected a row of the columns {columns}. Received: {line!r}")
        calls = max(1, int(match["calls"]))  # tools of 2018 say 0
        rows.append(
            (printable(match["type"].strip()), printable(match["name"].strip()), float(match["mean"]) * calls, calls)
        )
    counted = next((int(match[1]) for line in lines[start:] if (match := _NODES.fullmatch(line.strip()))), None)
    if not ended or counted != len(rows):
        raise ModelError(f"Expected a row for each of {counted or 'the'} operators. Received: {len(rows)}, cut off")
    return rows


def _columns(header: str) -> tuple[bool, list[str]]:
    """Return whether commas part the columns, and their names."""
    commas = "[" not in header
    names = header.split(",") if commas else re.findall(r"\[([^\]]+)\]", header)
    columns = [name.strip().lower().replace("_", " ") for name in names]
    unknown = [name for name in columns[1:-1] if name not in _NUMERIC]
    if columns[:1] != ["node type"] or columns[-1] != "name" or unknown or not {"avg ms", "times called"} <= {*columns}:
        raise ModelError(f"Expected the header of a table of operators. Received: {header.strip()!r}")
    return commas, columns


def _row_form(columns: list[str], commas: bool) -> re.Pattern[str]:
    between = ", " if commas else r"(?:\t *| {2,})"
    groups = {"avg ms": "mean", "times called": "calls"}
    numbers = (rf"(?P<{groups[name]}>{_NUMERIC[name]})" if name in groups else _NUMERIC[name] for name in columns[1:-1])
    return re.compile(rf"\s*(?P<type>\S.*?){between}" + between.join(numbers) + rf"{between}(?P<name>.*)")


def parse_total(text: str) -> Statistics:
    """The statistics of the operators' time in all, microseconds a run.

    Raises:
        ModelError: the line that says them is missing or there is no run.
    """
    head = "Timings (microseconds): "
    lines = [line.strip() for line in whole_lines(text)]
    lines = lines[lines.index(_REGULAR) :] if _REGULAR in lines else lines
    found = next((parse_statistics(line.removeprefix(head)) for line in lines if line.startswith(head)), None)
    if found is None or not found.count:
        raise ModelError(f"Expected the times of all operators, {head!r}. Received: none")
    return found
