"""What each generation of benchmark_model prints, put together from numbers as its C++ streams and formats do.

Times are in microseconds. Written after the tools' own sources, without this package's parsers.
"""

from dataclasses import dataclass

RUNS_LINE = "Running benchmark for at least {} iterations and at least {} seconds"


@dataclass(frozen=True)
class Phase:
    """Times of single runs; statistics are taken as the tool takes them."""

    times: tuple[int, ...]

    @property
    def mean(self):
        return sum(self.times) / len(self.times)

    @property
    def std(self):
        return int((sum(t * t for t in self.times) / len(self.times) - self.mean**2) ** 0.5)

    def percentile(self, percent):
        return sorted(self.times)[len(self.times) * percent // 100]

    def line(self, *, reversed_start=False, percentiles=False):
        count, last = len(self.times), self.times[-1] if self.times else 0
        if not self.times:
            text = "count=0"
        elif min(self.times) == max(self.times):
            start = f"curr={last} count={count}" if reversed_start else f"count={count} curr={last}"
            text = start + ("(all same)" if count > 1 else "")
        else:
            start = (
                f"curr={last} count={count}" if reversed_start else f"count={count} first={self.times[0]} curr={last}"
            )
            text = f"{start} min={min(self.times)} max={max(self.times)} avg={self.mean:g} std={self.std}"
        if percentiles:
            cut = [self.percentile(percent) if self.times else 0 for percent in (5, 50, 95)]
            text += " p5={} median={} p95={}".format(*cut)
        return text


@dataclass(frozen=True)
class Run:
    """All that a run prints."""

    warmup: Phase
    runs: Phase
    init: int = 3203
    graph: str = "/data/local/tmp/student.tflite"
    threads: int = 1
    size_mb: float = 0.020344
    peak_mb: float | None = None
    delegate: str = "xnnpack"
    kernels: int | None = None
    unconsumed: str = ""
    taken: tuple[int, int] | None = None

    @property
    def first(self):
        return self.warmup.times[0] if self.warmup.times else 0

    @property
    def warmup_mean(self):
        return self.warmup.mean if self.warmup.times else 0


def delegate_lines(run):
    name = {"xnnpack": "XNNPACK", "gpu": "GPU", "nnapi": "NNAPI"}.get(run.delegate)
    if name is None:
        return ["Use xnnpack: [0]"]
    taken, nodes = run.taken or (0, 0)
    part = "completely executed by the delegate."
    if run.kernels or taken < nodes:
        part = f"partially executed by the delegate w/ {run.kernels or 1} delegate kernels."
    created = "XNNPACK delegate for CPU." if name == "XNNPACK" else f"delegate for {name}."
    switch = {"XNNPACK": "xnnpack", "GPU": "gpu"}.get(name, name)
    return [
        f"Use {switch}: [1]",
        f"Created TensorFlow Lite {created}",
        *(
            [f"Replacing {taken} out of {nodes} node(s) with delegate ({name}) node, yielding 2 partitions."]
            * (nodes > 0)
        ),
        f"Explicitly applied {name} delegate, and the model graph will be {part}",
    ]


def generation_2018(run):
    """No first inference, `curr` in front, no minimum of seconds, no delegates told."""
    return [
        "STARTING!",
        "Num runs: [50]",
        "Inter-run delay (seconds): [-1]",
        f"Num threads: [{run.threads}]",
        f"Graph: [{run.graph}]",
        "Use nnapi : [0]",
        f"Loaded model {run.graph}",
        "resolved reporter",
        f"Initialized session in {run.init / 1000:g}ms",
        "Running benchmark for 1 iterations ",
        run.warmup.line(reversed_start=True),
        "",
        "Running benchmark for 50 iterations ",
        run.runs.line(reversed_start=True),
        "",
        f"Average inference timings in us: Warmup: {run.warmup_mean:g}, Init: {run.init}, no stats: {run.runs.mean:g}",
    ]


def generation_2019(run):
    return [
        "STARTING!",
        f"Num threads: [{run.threads}]",
        f"Graph: [{run.graph}]",
        "Use gpu : [0]",
        f"Loaded model {run.graph}",
        "INFO: Initialized TensorFlow Lite runtime.",
        f"Initialized session in {run.init / 1000:g}ms",
        RUNS_LINE.format(1, 0.5),
        run.warmup.line(),
        "",
        RUNS_LINE.format(50, 1),
        run.runs.line(),
        "",
        f"Average inference timings in us: Warmup: {run.warmup_mean:g}, Init: {run.init}, Inference: {run.runs.mean:g}",
    ]


def generation_2020(run):
    unconsumed = [f"Unconsumed cmdline flags: {run.unconsumed}"] if run.unconsumed else []
    peak = [f"Peak memory footprint (MB): init=0 overall={run.peak_mb:g}"] if run.peak_mb else []
    return [
        "STARTING!",
        *unconsumed,
        "Log parameter values verbosely: [0]",
        f"Num threads: [{run.threads}]",
        f"Graph: [{run.graph}]",
        f"#threads used for CPU inference: [{run.threads}]",
        f"Loaded model {run.graph}",
        *delegate_lines(run),
        *_middle(run, percentiles=False),
        *peak,
    ]


def generation_2022(run):
    """The severity in front, the peak of the memory from a thread that watches it."""
    peak = [f"Overall peak memory footprint (MB) via periodic monitoring: {run.peak_mb:g}"] if run.peak_mb else []
    return [
        f"INFO: {line}"
        for line in [
            *generation_2020(Run(**{**run.__dict__, "peak_mb": None})),
            "Memory footprint delta from the start of the tool (MB): init=2.85156 overall=3.47656",
            *peak,
        ]
    ]


def generation_2024(run):
    """The same with percentiles."""
    lines = generation_2022(run)
    for phase in (run.warmup, run.runs):
        lines[lines.index(f"INFO: {phase.line()}")] = f"INFO: {phase.line(percentiles=True)}"
    return lines


def generation_litert(run):
    peak = f"Peak memory:          {run.peak_mb:.2f} MB" if run.peak_mb else "Peak memory usage not available."
    ms = {"first": run.first / 1000, "warmup": run.warmup_mean / 1000, "mean": run.runs.mean / 1000}
    block = [
        f"Model initialization: {run.init / 1000:.2f} ms",
        f"Warmup (first):       {ms['first']:.2f} ms",
        f"Warmup (avg):         {ms['warmup']:.2f} ms ({len(run.warmup.times)} runs)",
        f"Inference (avg):      {ms['mean']:.2f} ms ({len(run.runs.times)} runs)",
        f"Inference (min):      {min(run.runs.times) / 1000:.2f} ms",
        f"Inference (max):      {max(run.runs.times) / 1000:.2f} ms",
        f"Inference (std):      {run.runs.std / 1000:.2f}",
        "Throughput:           197.97 MB/s",
        peak,
        "======================================",
    ]
    unconsumed = [f"WARN: Unconsumed cmdline flags: {run.unconsumed}"] if run.unconsumed else []
    return [
        "INFO: STARTING!",
        *unconsumed,
        f"INFO: Num threads: [{run.threads}]",
        f"INFO: [litert/tools/benchmark_litert_model.cc:137] Loading model from: {run.graph}",
        "I0000 00:00:1758455104.504065   62590 accelerator_registry.cc:51] RegisterAccelerator: name=CpuAccelerator",
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
        *(f"VERBOSE: {line}" for line in _replacing(run)),
        f"INFO: The input model file size (MB): {run.size_mb:g}",
        f"INFO: Initialized session in {run.init / 1000:g}ms.",
        f"INFO: {RUNS_LINE.format(1, 0.5)} but terminate if exceeding 150 seconds.",
        f"INFO: {run.warmup.line(percentiles=True)}",
        "",
        f"INFO: {RUNS_LINE.format(50, 1)} but terminate if exceeding 150 seconds.",
        f"INFO: {run.runs.line(percentiles=True)}",
        "",
        "INFO: [./litert/tools/benchmark_litert_model.h:72] ",
        "========== BENCHMARK RESULTS ==========",
        *(f"INFO: [./litert/tools/benchmark_litert_model.h:{73 + i}] {line}" for i, line in enumerate(block)),
    ]


def litert_benchmark(run):
    """What the program litert-benchmark of the package ai-edge-litert prints, a blank line first."""
    rows = [
        ("Model initialization", f"{run.init / 1000:.2f} ms"),
        ("Warmup (first)", f"{run.first / 1000:.2f} ms"),
        ("Warmup (avg)", f"{run.warmup_mean / 1000:.2f} ms ({len(run.warmup.times)} runs)"),
        ("Inference (avg)", f"{run.runs.mean / 1000:.2f} ms ({len(run.runs.times)} runs)"),
        ("Inference (min)", f"{min(run.runs.times) / 1000:.2f} ms"),
        ("Inference (max)", f"{max(run.runs.times) / 1000:.2f} ms"),
        ("Inference (median)", f"{run.runs.percentile(50) / 1000:.2f} ms"),
        ("Inference (std)", f"{run.runs.std / 1000:.2f} ms"),
        ("Inference (p5)", f"{run.runs.percentile(5) / 1000:.2f} ms"),
        ("Inference (p95)", f"{run.runs.percentile(95) / 1000:.2f} ms"),
        ("Throughput", "23.38 MB/s"),
        ("Fully accelerated", "True"),
    ]
    bar = "=" * 40
    return ["", bar, " BENCHMARK RESULTS", bar, *(f"{name + ':':23}{value}" for name, value in rows), bar]


def _replacing(run):
    """What LiteRT's runtime says of the delegate that takes 58 operators, or all but as many as there are pieces."""
    name = {"xnnpack": "TfLiteXNNPackDelegate", "gpu": "LITERT_CL"}.get(run.delegate)
    if name is None:
        return []
    left = run.kernels or 0
    return [
        f"Replacing {58 - left} out of 58 node(s) with delegate ({name}) node, "
        f"yielding {2 * left + 1} partitions for subgraph 0."
    ]


def _middle(run, *, percentiles):
    return [
        f"The input model file size (MB): {run.size_mb:g}",
        f"Initialized session in {run.init / 1000:g}ms.",
        f"{RUNS_LINE.format(1, 0.5)} but terminate if exceeding 150 seconds.",
        run.warmup.line(percentiles=percentiles),
        "",
        f"{RUNS_LINE.format(50, 1)} but terminate if exceeding 150 seconds.",
        run.runs.line(percentiles=percentiles),
        "",
        f"Inference timings in us: Init: {run.init}, First inference: {run.first}, "
        f"Warmup (avg): {run.warmup_mean:g}, Inference (avg): {run.runs.mean:g}",
        "Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual",
    ]


GENERATIONS = {
    "2018": generation_2018,
    "2019": generation_2019,
    "2020": generation_2020,
    "2022": generation_2022,
    "2024": generation_2024,
    "litert": generation_litert,
}


def text(generation, run):
    return "\n".join(GENERATIONS[generation](run)) + "\n"


def logcat(lines):
    """As a phone's log shows it."""
    return "".join(f"05-31 10:31:13.{i:03} 21767 21767 I tflite  : {line}\n" for i, line in enumerate(lines))
