"""TFLite files on Android phones, through adb and the native benchmark tool.

benchmark           latency of a file on a phone
evaluate            accuracy of a file on a phone, and whether it answers there as it does here
compare_delegates   the same of the phone's CPU and its accelerators, side by side
readiness           what a measurement needs, what of it is there, and how to get the rest
"""

from tflite.android.accuracy import DelegateComparison, PhoneEvaluation, compare_delegates, evaluate
from tflite.android.measure import benchmark
from tflite.android.requirements import Part, readiness

__all__ = [
    "DelegateComparison",
    "Part",
    "PhoneEvaluation",
    "benchmark",
    "compare_delegates",
    "evaluate",
    "readiness",
]
