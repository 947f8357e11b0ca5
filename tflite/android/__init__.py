"""TFLite files on Android phones, through adb and the native benchmark tool.

benchmark   latency of a file on a phone
evaluate    accuracy of a file on a phone, and whether it answers there as it does here
"""

from tflite.android.accuracy import PhoneEvaluation, evaluate
from tflite.android.measure import benchmark

__all__ = ["PhoneEvaluation", "benchmark", "evaluate"]
