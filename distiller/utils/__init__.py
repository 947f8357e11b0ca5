"""Atomic files, locks, progress, processes, provenance, safe text."""

__all__: list[str] = []
