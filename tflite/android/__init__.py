"""TFLite files on Android phones, through adb and the native benchmark tool.

benchmark   latency of a file on a phone
"""

from tflite.android.measure import benchmark

__all__ = ["benchmark"]
