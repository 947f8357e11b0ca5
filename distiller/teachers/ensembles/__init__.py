"""Several teachers as one network."""

__all__: list[str] = []
