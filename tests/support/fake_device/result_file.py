"""The tool's binary result file, written field by field after the rules of protocol buffers."""

import struct


def varint(number):
    head = bytes([number & 127])
    return head if number < 128 else bytes([head[0] | 128]) + varint(number >> 7)


def field(number, kind, payload):
    """The key, then what the wire type says: 0 an integer, 2 bytes with their length, 5 a float."""
    encoded = {0: varint, 2: lambda data: varint(len(data)) + data, 5: lambda value: struct.pack("<f", value)}
    return varint(number << 3 | kind) + encoded[kind](payload)


def result_file(latency, *, runs, warmup_runs, name=b"", size_mb=0.020344, peak_mb=None):
    """`latency` has milliseconds by the number of the field."""
    content = field(1, 2, name) if name else b""
    content += field(2, 2, b"".join(field(number, 5, ms) for number, ms in latency.items()))
    if peak_mb is not None:
        content += field(3, 2, field(1, 0, 1000) + field(2, 0, 3000) + field(3, 5, peak_mb))
    misc = field(1, 5, size_mb) + field(2, 0, runs) + field(3, 0, warmup_runs) + field(4, 5, 12.5)
    return content + field(4, 2, misc)


def of_run(run):
    """The file that goes with what a run prints."""
    times = [run.runs.mean, min(run.runs.times), max(run.runs.times), run.runs.std]
    times += [run.runs.percentile(percent) for percent in (50, 5, 95)] + [run.init, run.first, run.warmup_mean]
    latency = {number: us / 1000 for number, us in enumerate(times, start=1)}
    counts = {"runs": len(run.runs.times), "warmup_runs": len(run.warmup.times)}
    return result_file(latency, **counts, size_mb=run.size_mb, peak_mb=run.peak_mb)
