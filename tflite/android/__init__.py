"""TFLite files on Android phones, through adb and the native benchmark tool.

benchmark   latency of a file on a phone
evaluate    accuracy of a file on a phone, and whether it answers there as it does here
readiness   what a measurement needs, what of it is there, and how to get the rest
"""

from tflite.android.accuracy import PhoneEvaluation, evaluate
from tflite.android.measure import benchmark
from tflite.android.requirements import Part, readiness

__all__ = ["Part", "PhoneEvaluation", "benchmark", "evaluate", "readiness"]
