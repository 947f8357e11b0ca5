"""The native benchmark tool of TFLite, `benchmark_model`, of any generation.

    benchmark   latency of a file with the tool on this machine
    read        a result from what the tool printed or wrote elsewhere, or another program as JSON
    read_all    all results of such a file

The most memory that it tells is of its whole process, where `tflite.benchmark` tells what the model added.
"""

from tflite.benchmark_tool.flags import DELEGATES
from tflite.benchmark_tool.local import benchmark
from tflite.benchmark_tool.reading import read, read_all

__all__ = ["DELEGATES", "benchmark", "read", "read_all"]
