"""Recorded results: one JSON line per trained student or measurement, and the module that reads and appends them."""
