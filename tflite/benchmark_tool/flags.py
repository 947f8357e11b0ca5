"""The command line of the tool.

A flag that a tool does not know is no error to it: it says so and runs without. Which flags a measurement cannot do
without is said here; the others are for more exact or additional output.
"""

from dataclasses import dataclass

from tflite.errors import ModelError
from tflite.utils.arguments import finite, whole
from tflite.utils.suggestions import unknown

DELEGATES = ("xnnpack", "gpu", "nnapi", "none")
ACCELERATORS = ("gpu", "nnapi")

# Seconds to load a model, prepare a delegate and take the way back.
_LOADING = 60.0

# Later tools have a result file, a file for the profile and more; earlier ones run as well without.
_OPTIONAL = {
    "warmup_min_secs",
    "result_file_path",
    "enable_op_profiling",
    "use_profiler",
    "op_profiling_output_mode",
    "op_profiling_output_file",
    "profiling_output_csv_file",
    "report_peak_memory_footprint",
    # Whether the delegate is the one that was asked for is seen by what ran.
    "use_xnnpack",
    "use_gpu",
    "use_nnapi",
}

_DELEGATE_FLAGS = {
    "xnnpack": ["--use_xnnpack=true"],
    "gpu": ["--use_gpu=true"],
    "nnapi": ["--use_nnapi=true"],
    "none": ["--use_xnnpack=false"],
}


@dataclass(frozen=True)
class Options:
    """Options of a measurement, as in `tflite.benchmark`.

    Raises:
        ModelError: an unknown delegate, or a number out of range.
    """

    threads: int = 1
    runs: int = 50
    warmup_runs: int = 10
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    delegate: str = "xnnpack"

    def __post_init__(self) -> None:
        if self.delegate not in DELEGATES:
            raise ModelError(unknown("delegate", self.delegate, DELEGATES))
        for name, least in (("threads", 1), ("runs", 1), ("warmup_runs", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), least))
        for name in ("min_seconds", "max_seconds"):
            object.__setattr__(self, name, finite(name, getattr(self, name), 0.0))
        if self.max_seconds < self.min_seconds:
            raise ModelError(
                f"Expected `max_seconds` of at least `min_seconds`. Received: max_seconds={self.max_seconds}, "
                f"min_seconds={self.min_seconds}"
            )

    @property
    def seconds(self) -> float:
        """Time limit of the tool, seconds: warming up and measuring, each up to the limit, and loading the model."""
        return 2 * self.max_seconds + _LOADING


def measuring(options: Options, graph: str, result_file: str) -> list[str]:
    """Arguments that measure the latency alone."""
    return [
        f"--graph={graph}",
        f"--num_threads={options.threads}",
        f"--num_runs={options.runs}",
        f"--warmup_runs={options.warmup_runs}",
        f"--min_secs={options.min_seconds:g}",
        f"--max_secs={options.max_seconds:g}",
        *_DELEGATE_FLAGS[options.delegate],
        f"--result_file_path={result_file}",
    ]


def profiling(options: Options, graph: str, profile_file: str) -> list[str]:
    """Arguments that measure operators and memory, which makes the runs themselves slower."""
    return [
        f"--graph={graph}",
        f"--num_threads={options.threads}",
        f"--num_runs={min(options.runs, 50)}",
        "--min_secs=0",
        f"--max_secs={options.max_seconds:g}",
        *_DELEGATE_FLAGS[options.delegate],
        "--enable_op_profiling=true",
        "--use_profiler=true",  # LiteRT
        "--op_profiling_output_mode=csv",
        f"--op_profiling_output_file={profile_file}",
        f"--profiling_output_csv_file={profile_file}",
        "--report_peak_memory_footprint=true",
    ]


# Without these a tool runs random numbers and keeps the outputs for itself.
IMAGE_FLAGS = ("input_layer", "input_layer_shape", "input_layer_value_files", "output_filepath")


def one_image(options: Options, graph: str, shape: tuple[int, ...], image_file: str, output_file: str) -> list[str]:
    """Arguments that run one image of raw bytes and save the outputs' bytes.

    The tool takes inputs by their order, whatever they are called. A name without a colon needs no escape, which
    older tools do not know.
    """
    return [
        f"--graph={graph}",
        f"--num_threads={options.threads}",
        "--num_runs=1",
        "--warmup_runs=0",
        "--warmup_min_secs=0",
        "--min_secs=0",
        *_DELEGATE_FLAGS[options.delegate],
        "--input_layer=image",
        f"--input_layer_shape={','.join(map(str, shape))}",
        f"--input_layer_value_files=image:{image_file}",
        f"--output_filepath={output_file}",
    ]


def missed(unconsumed: tuple[str, ...]) -> tuple[str, ...]:
    """The flags among those that a tool did not know that a measurement cannot do without.

    >>> missed(("result_file_path", "num_threads"))
    ('num_threads',)
    """
    return tuple(name for name in unconsumed if name not in _OPTIONAL)
