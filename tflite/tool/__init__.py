"""The native benchmark tool of TFLite, `benchmark_model`: run it here, and read what it or its log files say."""

from tflite.tool.log import Log, parse_log
from tflite.tool.statistics import Statistics

__all__ = ["Log", "Statistics", "parse_log"]
