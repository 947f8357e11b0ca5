"""Timing in random order, worker processes, ratios with intervals, and the goals they are held to."""
