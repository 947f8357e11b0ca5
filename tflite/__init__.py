"""From a trained Keras model to an integer TFLite file, proved and measured.

    quantize_aware    a trainable copy of a model that rounds as its integer file will
    calibrate_ranges  measure the ranges of its activations on images, without training
    match_runtime     let such a model, once trained, answer as its file does
    load_model        a saved model, a quantization-aware one too
    prune       a trainable copy of a model whose smallest weights become zero
    cluster     a trainable copy of a model with few distinct numbers in each kernel
    plain       what pruning or clustering made, as a plain model
    convert     write a TFLite file: float32, float16, dynamic, int8, int16x8 or int4
    compare     how far a file is from its Keras model
    evaluate    accuracy of a file through the interpreter
    labels      class labels of a file
    inspect     operators, types, sizes and quantization of a file
    bundle      what an application needs beside a file: code, labels, a test of its answers
    check       whether a file from elsewhere can be opened without harm
    benchmark   latency of files on this machine
    profile     where the time of a file goes

    tool        the native benchmark_model on this machine, and what it printed elsewhere: benchmark, read

These functions share their names with the modules they live in. They are bound here, when the package is imported,
so that `tflite.convert` is the function whatever is imported later. TensorFlow, Keras and the interpreter are
imported by the functions that need them: importing this package is quick and loads none of them.
"""

from typing import TYPE_CHECKING, Any

from tflite import android
from tflite import benchmark_tool as tool
from tflite.app_bundle.bundling import Bundle, bundle
from tflite.benchmarking.benchmarks import Benchmarks
from tflite.benchmarking.local import benchmark
from tflite.benchmarking.operator_time import OperatorTime
from tflite.benchmarking.profiling import Profile, profile
from tflite.benchmarking.result import BenchmarkResult
from tflite.conversion.conversion import SCHEMES, Conversion, convert
from tflite.errors import ConversionError, MeasurementError, ModelError
from tflite.inspection.cost import Cost
from tflite.inspection.finding import Finding
from tflite.inspection.inspector import Inspection, inspect
from tflite.inspection.signatures import Signature
from tflite.isolation.untrusted import check
from tflite.model_file.class_labels import labels
from tflite.model_file.metadata.schema import Metadata
from tflite.model_file.operators import Operator, Tensor
from tflite.model_file.tensor_spec import TensorSpec
from tflite.parity.agreement import OutputComparison
from tflite.parity.comparison import Comparison, compare
from tflite.parity.evaluation import evaluate
from tflite.parity.results import Evaluation, OutputsEvaluation, TaskEvaluation
from tflite.quantization import calibrate_ranges, match_runtime, quantize_aware
from tflite.quantization.saved import load_model
from tflite.tfmot import cluster, plain, prune

if TYPE_CHECKING:
    from tflite.quantization.freezing import FreezeRanges
    from tflite.tfmot.pruning_step import PruningStep

# Its name in the first version.
Port = TensorSpec

__all__ = [
    "SCHEMES",
    "BenchmarkResult",
    "Benchmarks",
    "Bundle",
    "Comparison",
    "Conversion",
    "ConversionError",
    "Cost",
    "Evaluation",
    "Finding",
    "FreezeRanges",
    "Inspection",
    "MeasurementError",
    "Metadata",
    "ModelError",
    "Operator",
    "OperatorTime",
    "OutputComparison",
    "OutputsEvaluation",
    "Port",
    "Profile",
    "PruningStep",
    "Signature",
    "TaskEvaluation",
    "Tensor",
    "TensorSpec",
    "android",
    "benchmark",
    "bundle",
    "calibrate_ranges",
    "check",
    "cluster",
    "compare",
    "convert",
    "evaluate",
    "inspect",
    "labels",
    "load_model",
    "match_runtime",
    "plain",
    "profile",
    "prune",
    "quantize_aware",
    "tool",
]

# Classes of Keras's: module → names. They are imported when they are asked for, and Keras with them.
_OF_KERAS = {"FreezeRanges": "tflite.quantization.freezing", "PruningStep": "tflite.tfmot.pruning_step"}


def __getattr__(name: str) -> Any:
    if name not in _OF_KERAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_OF_KERAS[name]), name)
