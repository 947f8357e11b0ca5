"""The tables of operators that the tool prints or writes, put together from (type, name, milliseconds) of each."""

TITLE = "============================== {} =============================="
REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs:"
# What LiteRT's runtime does around the operators of a run, in the same table.
LITERT_BEFORE = ("LiteRT::Run[buffer registration]", "LiteRT::Run[buffer registration]/0", 0.014)
LITERT_AFTER = ("LiteRT::Run[Buffer sync]", "LiteRT::Run[Buffer sync]/0", 0.012)
PREPARATION = "Profiling Info for Benchmark Initialization:"


def printed(rows, *, start=False, calls=1):
    """What goes to the standard output; older tools have a column for the start."""
    names = ["[start]"] * start + ["[first]", "[avg ms]", "[%]", "[cdf%]", "[mem KB]", "[times called]"]
    header = "\t" + f"{'[node type]':>24}" + "".join(f"\t{name:>9}" for name in names) + "\t[Name]"
    total = sum(ms for *_, ms in rows) or 1.0
    lines, done = [], 0.0
    for kind, name, ms in rows:
        done += ms
        numbers = [*([f"{0.069:9.3f}"] * start), f"{ms + 0.009:9.3f}", f"{ms:9.3f}", f"{100 * ms / total:7.3f}%"]
        numbers += [f"{100 * done / total:7.3f}%", f"{0:10.3f}", f"{calls:9}"]
        lines.append(f"\t{kind:>24}" + "".join(f"\t{number}" for number in numbers) + f"\t{name}")
    return _report(header, lines)


def written(rows, *, start=True, calls=1):
    """The CSV file."""
    columns = ["start"] * start + ["first", "avg_ms", "%", "cdf%", "mem KB", "times called"]
    header = ", ".join(["node type", *columns, "name"])
    total = sum(ms for *_, ms in rows) or 1.0
    lines, done = [], 0.0
    for kind, name, ms in rows:
        done += ms
        numbers = [*(["0.069"] * start), f"{ms + 0.009:g}", f"{ms:g}", f"{100 * ms / total:g}%"]
        lines.append(", ".join([kind, *numbers, f"{100 * done / total:g}%", "0", str(calls), name]))
    return _report(header, lines)


def whole(regular, *, inside=None, preparation=None):
    """All of a profile: the preparation, the runs, and what happened inside the delegate."""
    parts = [f"{PREPARATION}\n{preparation}\n"] if preparation else []
    parts.append(f"{REGULAR}\n{regular}\n")
    parts += [f"Delegate internal: \n{inside}\n"] if inside else []
    return "\n".join(parts)


def _report(header, lines):
    by_time = lines[::-1]
    summary = [
        f"Number of nodes executed: {len(lines)}",
        TITLE.format("Summary by node type"),
        "\t[Node type]\t[count]",
    ]
    end = [
        "Timings (microseconds): count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=9",
        "Memory (bytes): count=0",
    ]
    parts = [
        [TITLE.format("Run Order"), header, *lines, ""],
        [TITLE.format("Top by Computation Time"), header, *by_time, ""],
        [*summary, ""],
        [*end, f"{len(lines)} nodes observed", ""],
    ]
    return "\n".join(line for part in parts for line in part)
