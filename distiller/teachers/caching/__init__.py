"""Stored teacher outputs, keyed by sample, view and teacher."""

__all__: list[str] = []
