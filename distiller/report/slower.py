"""Integer files that take longer than their floating-point twins, and the operators that make it so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from distiller.report import measure
from distiller.report.content import Converted, Report
from distiller.report.measure import Measure
from distiller.report.table import label

if TYPE_CHECKING:
    from tflite import BenchmarkResult

FLOATING = ("float32", "float16")
MOST = 3  # operators in a sentence


class Operator(Protocol):
    """Profile of an operator (`tflite.OperatorTime`)."""

    @property
    def type(self) -> str:
        """Name of its kind in the runtime."""

    @property
    def mean_ms(self) -> float:
        """Milliseconds a run."""

    @property
    def delegated(self) -> bool:
        """True if a delegate ran it."""


def family(kind: str) -> str:
    """The type of an operator without number format and kernel, which differ between a file and its twin.

    >>> family("Convolution (NHWC, QC8) IGEMM"), family("QUANTIZE")
    ('Convolution', 'QUANTIZE')
    """
    return re.sub(r" \(.*", "", kind)


@dataclass(frozen=True)
class Spent:
    """Milliseconds of a run by family of operators; `left` are the families that the delegate did not take."""

    by_family: Mapping[str, float]
    left: frozenset[str]

    @classmethod
    def of(cls, operators: Sequence[Operator]) -> "Spent":
        """The sums of a profile."""
        found: dict[str, float] = {}
        for one in operators:
            found[family(one.type)] = found.get(family(one.type), 0.0) + one.mean_ms
        with_delegate = any(one.delegated for one in operators)
        left = frozenset(family(one.type) for one in operators if not one.delegated) if with_delegate else frozenset()
        return cls(found, left)


@dataclass(frozen=True)
class Timed:
    """One file in one setting, with its profile where there is one."""

    file: str
    student: str
    scheme: str
    setting: tuple[Any, ...]
    median_ms: float
    operators: Sequence[Operator] | None


def sentences(report: Report, results: "Sequence[BenchmarkResult]" = ()) -> list[str]:
    """A sentence on each student and setting in which an integer file is slower than its twin in floating point.

    `results` are benchmarks that were added to the run. A student without a file in floating point has the twin of the
    one that it goes on from.
    """
    measured = [*_of_run(report.tflite), *_added(report, results)]
    starts = {other.student: other.start for other in report.budget.others}
    keys = dict.fromkeys((one.student, one.scheme, one.setting) for one in measured if one.scheme not in FLOATING)
    found = []
    for student, scheme, setting in keys:
        own = [one for one in measured if (one.student, one.scheme, one.setting) == (student, scheme, setting)]
        twins = _twins(measured, student, setting) or _twins(measured, starts.get(student), setting)
        if twins:
            found += _sentence(own, twins)
    return found


def _twins(measured: Iterable[Timed], student: str | None, setting: tuple[Any, ...]) -> list[Timed]:
    alike = [one for one in measured if one.student == student and one.setting == setting]
    return next((twins for scheme in FLOATING if (twins := [one for one in alike if one.scheme == scheme])), [])


def _of_run(files: Iterable[Converted]) -> list[Timed]:
    return [
        Timed(one.file, one.student, one.scheme, (one.threads, one.device), one.latency_ms.median, one.operators)
        for one in files
    ]


def _added(report: Report, results: "Sequence[BenchmarkResult]") -> list[Timed]:
    """Benchmarks of the run's own files, which have their names."""
    known = {one.file.replace("\\", "/").rpartition("/")[2]: one for one in report.tflite}
    return [
        Timed(
            one.path.name,
            known[one.path.name].student,
            known[one.path.name].scheme,
            (one.threads, one.device, one.delegate),
            one.median_ms,
            one.operators,
        )
        for one in results
        if one.path.name in known and one.median_ms is not None
    ]


def _sentence(own: Sequence[Timed], twins: Sequence[Timed]) -> list[str]:
    """The sentence, if the file is the slower one as far as the digits show."""
    mine, other = (Measure.of([one.median_ms for one in group]) for group in (own, twins))
    times = [measure.milliseconds(Measure(each.mean, None, 1)) for each in (mine, other)]
    if mine.mean <= other.mean or times[0] == times[1]:
        return []
    one, twin = own[0], twins[0]
    threads, device, *_ = one.setting
    where = f" ({threads} thread{'s' * (threads != 1)} on {device})" if threads else f" ({device})"
    said = f"{label(one.student)}: {one.scheme} is slower than {twin.scheme}, {times[0]} against {times[1]} ms{where}."
    profiled = [next((each for each in group if each.operators), None) for group in (own, twins)]
    if profiled[0] is None or profiled[1] is None:
        files = f"{_name(one.file)} {_name(twin.file)}"
        return [f"{said} Which operators make it so: distiller benchmark {files} --profile --report RUN."]
    return [f"{said} {_why(*(Spent.of(each.operators or ()) for each in profiled if each))}"]


def _name(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]


def _why(mine: Spent, other: Spent) -> str:
    """The operators that take longer than in the twin, the worst first, and what the others save."""
    more = {
        name: mine.by_family.get(name, 0.0) - other.by_family.get(name, 0.0)
        for name in [*mine.by_family, *(name for name in other.by_family if name not in mine.by_family)]
    }
    slower = sorted((name for name in more if more[name] > 0), key=lambda name: -more[name])
    saved = -sum(change for change in more.values() if change < 0)
    if not slower:
        return "No operator takes longer: the time is between them, where a run starts and the delegate is called."
    words = [
        f"{name} +{_short(more[name])} ms{', not taken by the delegate' * (name in mine.left)}"
        for name in slower[:MOST]
    ]
    rest = f"; {len(slower) - MOST} more +{_short(sum(more[name] for name in slower[MOST:]))} ms" * (len(slower) > MOST)
    gain = f"; the others save {_short(saved)} ms" if saved > 0 else ""
    return f"Of its operators these take longer: {'; '.join(words)}{rest}{gain}."


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.2g}" if milliseconds < 10 else f"{milliseconds:.0f}"
