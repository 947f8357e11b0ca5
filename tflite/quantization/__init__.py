"""Quantization-aware training: models that learn with the numbers their integer file will have.

quantize_aware     a trainable copy of a model that rounds as its file will
calibrate_ranges   measure the ranges of activations on images, without training
match_runtime      let a trained model answer as its file does
FreezeRanges       a callback that holds the ranges still from an epoch or a step on
is_aware           whether a model came from quantize_aware
"""

from tflite.quantization.aware import is_aware, quantize_aware
from tflite.quantization.ranges import calibrate_ranges
from tflite.quantization.runtime import match_runtime

__all__ = ["calibrate_ranges", "is_aware", "match_runtime", "quantize_aware"]
