"""Changes to a converted flatbuffer: biases, weights, gates, packing."""

__all__: list[str] = []
