"""One measurement with the tool: a run for the latency, and where it is asked for a second one for the operators.

Profiling and watching the memory make runs slower, so that they have a run of their own.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.benchmark_tool.delegation import Delegation
from tflite.benchmark_tool.failure import explain
from tflite.benchmark_tool.flags import Options, measuring, missed, profiling
from tflite.benchmark_tool.log import Log, parse_log, unconsumed_flags
from tflite.benchmark_tool.operator_profile import has_profile, parse_profile
from tflite.benchmark_tool.place import Place
from tflite.benchmark_tool.result_proto import ResultFile, parse_result
from tflite.benchmark_tool.statistics import Statistics, near
from tflite.benchmarking.operator_time import OperatorTime
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import MeasurementError, ModelError


@dataclass(frozen=True)
class Measurement:
    """Measurement of the tool, in microseconds and bytes."""

    runs: Statistics
    warmup_runs: int | None
    first: float | None
    init: float | None
    delegate: str
    peak_memory_bytes: int | None = None
    operators: tuple[OperatorTime, ...] | None = None
    notes: tuple[str, ...] = ()
    delegation: Delegation | None = None

    def result(
        self, path: Path, *, threads: int | None, images: int | None, operators: int | None, **known: Any
    ) -> BenchmarkResult:
        """The result of a benchmark of `images` a run and a file of so many `operators`, with what else is known."""
        runs = self.runs
        delegated, of_all = self.delegation.counts(operators) if self.delegation else (None, operators)
        return BenchmarkResult(
            path=path,
            median_ms=_ms(runs.median),
            p90_ms=None,
            p95_ms=_ms(runs.p95),
            mean_ms=runs.mean / 1000,
            std_ms=runs.std / 1000,
            min_ms=runs.min / 1000,
            runs=runs.count,
            warmup_runs=self.warmup_runs,
            threads=threads,
            delegate=self.delegate,
            first_ms=_ms(self.first),
            init_ms=_ms(self.init),
            peak_memory_bytes=self.peak_memory_bytes,
            throughput=1e6 * images / runs.mean if images and runs.mean else None,
            operators=self.operators,
            delegated_operators=delegated,
            file_operators=of_all,
            **{**known, "notes": (*self.notes, *known.get("notes", ()))},
        )


def measure(place: Place, tool: str, graph: str, options: Options, *, profile: bool) -> Measurement:
    """Run the tool of a path in a place on a model of a path there.

    Raises:
        MeasurementError: the tool failed, said nothing that can be read, or measured something else.
    """
    file = f"result-{secrets.token_hex(4)}.pb"  # a name that no run before it has written
    output = checked_run(place, [tool, *measuring(options, graph, place.path(file))], seconds=options.seconds)
    log = read_output(parse_log, output, output)
    notes = check_delegate(log, options.delegate)
    content = place.fetch(file)
    said: Log | ResultFile = log
    if content:
        said = read_output(parse_result, content, output)
        same = said.runs.count == log.runs.count and near(said.runs.mean, log.runs.mean, absolute=5.01)
        if not same:
            raise MeasurementError(
                f"Expected one result. Received: {said.runs.count} runs of {said.runs.mean:g} us in the tool's result "
                f"file, {log.runs.count} of {log.runs.mean:g} us in what it printed"
            )
    operators, peak = None, log.peak_memory_bytes
    if profile:
        operators, peak, more = _profile(place, tool, graph, options)
        notes = (*notes, *more)
    return Measurement(
        runs=said.runs,
        warmup_runs=said.warmup_runs if said.warmup_runs is not None else log.warmup_runs,
        first=log.first,
        init=said.init,
        delegate=options.delegate,
        peak_memory_bytes=peak,
        operators=operators,
        notes=notes,
        delegation=log.delegation,
    )


def checked_run(place: Place, arguments: list[str], *, seconds: float) -> str:
    """Run the tool, check how it ended, and return what it printed.

    Raises:
        MeasurementError: it failed, or it did not know a flag that matters.
    """
    status, output = place.run(arguments, seconds=seconds)
    if status:
        raise MeasurementError(f"The benchmark tool {arguments[0]!r} failed: {explain(status, output)}")
    names = missed(unconsumed_flags(output))
    if names:
        raise MeasurementError(
            f"The benchmark tool {arguments[0]!r} does not know --{', --'.join(names)}: it is of another generation. "
            "Take a newer build of benchmark_model"
        )
    return output


def _profile(
    place: Place, tool: str, graph: str, options: Options
) -> tuple[tuple[OperatorTime, ...] | None, int | None, tuple[str, ...]]:
    file = f"profile-{secrets.token_hex(4)}.csv"
    output = checked_run(place, [tool, *profiling(options, graph, place.path(file))], seconds=options.seconds)
    log = read_output(parse_log, output, output)
    content = place.fetch(file)
    text = content.decode(errors="replace") if content else output
    if not has_profile(text):
        return None, log.peak_memory_bytes, ("the tool has no profile of operators",)
    return read_output(parse_profile, text, output), log.peak_memory_bytes, ()


def check_delegate(log: Log, wanted: str) -> tuple[str, ...]:
    """Notes about the delegate that ran.

    Raises:
        MeasurementError: it is not the one that was asked for.
    """
    ran = log.delegation
    if wanted == "none":
        if ran.name not in ("none", "unknown"):
            raise MeasurementError(f"Expected no delegate. Received: a tool that ran the model with {ran.name}")
        return ()
    if wanted in ran.refused:
        if wanted == "xnnpack":
            return ("xnnpack took no operator of this model: the interpreter's own kernels ran it",)
        raise MeasurementError(f"Expected the delegate {wanted!r}. Received: it took no operator of this model")
    if ran.name != wanted:
        raise MeasurementError(
            f"Expected the delegate {wanted!r}. Received: {ran.name!r}, by what the tool printed. The tool or the "
            "device does not have it: try delegate='xnnpack' or 'none', or another build of benchmark_model"
        )
    return () if ran.note is None else (ran.note,)


def read_output(parse: Any, content: Any, output: str) -> Any:
    """Parse content; the tool's last words go with the parser's complaint.

    Raises:
        MeasurementError: the parser refused.
    """
    from tflite.benchmark_tool.lines import last_words

    try:
        return parse(content)
    except ModelError as error:
        raise MeasurementError(
            f"Could not read what the benchmark tool wrote: {error}. Its last words: {last_words(output)}"
        ) from error


def _ms(us: float | None) -> float | None:
    return None if us is None else us / 1000
