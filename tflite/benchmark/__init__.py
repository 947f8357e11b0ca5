"""Latency of TFLite files: the result of a measurement, and the ways to make one."""

from tflite.benchmark.host import benchmark
from tflite.benchmark.operator_time import OperatorTime
from tflite.benchmark.result import BenchmarkResult

__all__ = ["BenchmarkResult", "OperatorTime", "benchmark"]
