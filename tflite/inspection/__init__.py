"""The parts of `tflite.inspect`: delegate partitions, costs, findings, and ways to show them."""

__all__: list[str] = []
