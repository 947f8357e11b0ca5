"""Latency of TFLite files: the result of a measurement, and the ways to make one."""

from tflite.benchmarking.local import benchmark
from tflite.benchmarking.operator_time import OperatorTime
from tflite.benchmarking.result import BenchmarkResult

__all__ = ["BenchmarkResult", "OperatorTime", "benchmark"]
