"""Parser of the tool's log, of every generation since 2018.

The last words (`endings.py`) say that the runs were finished: a log without them is refused. The runs' own statistics
are the line before them that has the same mean (`statistics.py`). Numbers that are printed twice must agree, so that a
log that lost a piece is an error and not a wrong number.
"""

import re
from dataclasses import dataclass

from tflite.benchmark_tool.delegation import Delegation, parse_delegation
from tflite.benchmark_tool.endings import Ending, parse_endings, parse_peak
from tflite.benchmark_tool.lines import printable, whole_lines
from tflite.benchmark_tool.statistics import COUNT, NUMBER, Statistics, near, parse_statistics
from tflite.errors import ModelError

_SESSION = re.compile(rf"Initialized session in ({NUMBER})ms\.?")
_SIZE = re.compile(rf"The input model file size \(MB\): ({NUMBER})")
_GRAPH = re.compile(r"Graph: \[(.+)\]")
_THREADS = re.compile(rf"(?:Num threads|#threads used for CPU inference): \[({COUNT})\]")
_UNCONSUMED = re.compile(r"Unconsumed cmdline flags: (.*)")
_FLAG = re.compile(r"--([a-z0-9_]+)")


@dataclass(frozen=True)
class Log:
    """Content of a log, in microseconds and bytes; None where it says nothing.

    `unconsumed` are the flags that the tool did not know: it ran without them.
    """

    runs: Statistics
    warmup_runs: int | None
    first: float | None
    init: float
    peak_memory_bytes: int | None
    model_bytes: int | None
    graph: str | None
    threads: int | None
    delegation: Delegation
    unconsumed: tuple[str, ...] = ()


def parse_log(text: str) -> Log:
    """Parse what the tool printed, both its streams together.

    Raises:
        ModelError: no log of the tool, one of an unfinished run or of several, or one with pieces missing.
    """
    lines = whole_lines(text)
    endings = parse_endings(lines)
    if len(endings) != 1:
        received = f"those of {len(endings)} runs" if endings else "none"
        raise ModelError(
            "Expected the output of one finished run of benchmark_model, with its inference timings at the end. "
            f"Received: {received}, in {len(lines)} whole lines"
        )
    ending = endings[0]
    runs, warmup_runs, first = _runs(lines[: ending.line], ending)
    _check_init(lines, ending)
    threads = _values(_THREADS, lines)
    size = _values(_SIZE, lines)
    peak = parse_peak(lines[ending.line :])
    return Log(
        runs=runs,
        warmup_runs=warmup_runs,
        first=first,
        init=ending.init,
        peak_memory_bytes=None if peak is None else round(peak * 2**20),
        # Six digits are printed: a size of a megabyte or more is rounded.
        model_bytes=round(float(size[0]) * 1e6) if size and float(size[0]) < 1 else None,
        graph=next(map(printable, _values(_GRAPH, lines)), None),
        threads=int(threads[0]) if threads else None,
        delegation=parse_delegation(lines),
        unconsumed=unconsumed_flags(text),
    )


def unconsumed_flags(text: str) -> tuple[str, ...]:
    """The flags that the tool did not know, from what it printed; it goes on without them.

    >>> unconsumed_flags("WARN: Unconsumed cmdline flags: --use_xnnpack=true --result_file_path=a\\n")
    ('use_xnnpack', 'result_file_path')
    """
    return tuple(name for rest in _values(_UNCONSUMED, whole_lines(text)) for name in _FLAG.findall(rest))


def _runs(before: list[str], ending: Ending) -> tuple[Statistics, int | None, float | None]:
    """The statistics of the measured runs, how many came before them, and the first run of all."""
    phases = [found for line in before if (found := parse_statistics(line))]
    seen = phases[-1] if phases and near(phases[-1].mean, ending.mean, absolute=ending.resolution) else None
    runs = seen or ending.runs
    if runs is None or runs.count == 0:
        raise ModelError(
            f"Expected the statistics of the measured runs, of mean {ending.mean:g} us. Received: a log without them"
        )
    if seen and ending.runs and seen.count != ending.runs.count:
        raise ModelError(f"Expected one number of runs. Received: {seen.count} and {ending.runs.count}")
    warmup_runs, first = ending.warmup_runs, ending.first
    warmup = phases[-2] if seen and len(phases) > 1 else None
    if warmup is not None and near(warmup.mean, ending.warmup, absolute=ending.resolution):
        warmup_runs = warmup.count
        first = warmup.first if warmup.first is not None else first
    if warmup_runs == 0:  # the first of the measured ones was the first of all
        first = runs.first
    elif first == 0:  # a tool that does not say how often it warmed up, and did not
        first = None
    return runs, warmup_runs, first


def _check_init(lines: list[str], ending: Ending) -> None:
    for value in _values(_SESSION, lines):
        if not near(float(value) * 1000, ending.init, absolute=ending.resolution + 0.01):
            raise ModelError(
                f"Expected one time of initialisation. Received: {value} ms and {ending.init / 1000:g} ms in one log"
            )


def _values(form: re.Pattern[str], lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := form.fullmatch(line))]
