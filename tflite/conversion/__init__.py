"""The parts of `tflite.convert`: what may be asked for, what is checked, the converter, ranges."""

__all__: list[str] = []
