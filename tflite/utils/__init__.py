"""Arguments, samples, records and quiet native code."""

__all__: list[str] = []
