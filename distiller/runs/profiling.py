"""Profiles of integer files that turn out slower than their twins in floating point."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import tflite


def explain(results: Sequence[tflite.BenchmarkResult], twins: Mapping[Path, Path]) -> list[tflite.BenchmarkResult]:
    """The same results; those of a file that is slower than its twin, and of the twin, with their operators.

    Args:
        results: benchmarks of files, the twins among them.
        twins: integer file → the same network in floating point.
    """
    medians = {one.path: one.median_ms or 0.0 for one in results}
    slow = [path for path, twin in twins.items() if twin in medians and medians[path] > medians[twin]]
    wanted = {*slow, *(twins[path] for path in slow)}
    return [
        dataclasses.replace(one, operators=tflite.profile(one.path, threads=one.threads or 1).operators)
        if one.path in wanted
        else one
        for one in results
    ]
