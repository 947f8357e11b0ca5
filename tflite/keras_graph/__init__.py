"""A Keras network as a graph: reading, copying, folding, weights."""

__all__: list[str] = []
