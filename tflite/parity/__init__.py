"""The parts of `tflite.compare`: what layers and operators compute, which belong together, where they part."""

__all__: list[str] = []
