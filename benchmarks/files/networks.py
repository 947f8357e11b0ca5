"""Networks as integer files by four tools: both engines of `tflite`, the converter alone, and ai-edge-quantizer.

    pip install '.[tfmot,peers]'
    python -m benchmarks.files.networks --data-dir DIR

One JSON line per network and way is added to `results/networks.jsonl`; what is recorded is not run again. Every network
has a process of its own with a time limit, so that a tool that crashes or hangs is a result as well.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.files.network_ways import APPLICATIONS, WAYS, ZOO, image_size
from benchmarks.results import lines
from benchmarks.shell import Line, command, data_dir, option, progress

NAME = "networks.jsonl"
NETWORKS = (*ZOO, *APPLICATIONS)
SECONDS = 1800  # that a network may take


def convert_in_process(name: str, ways: list[str], data_dir: Path | None, seconds: float) -> list[dict[str, Any]]:
    """One line per way; a way during which the process ended has an `error`, those after it have no line."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "benchmarks.files.network_ways", name, *ways, "--folder", folder]
        arguments += ["--data-dir", str(data_dir)] if data_dir else []
        try:
            call = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds, check=False)
            output, end = call.stdout, f"the process ended with exit status {call.returncode}"
        except subprocess.TimeoutExpired as late:
            output, end = (late.stdout or b"").decode(), f"not done after {seconds:g} s"
        except OSError as error:
            return [{"network": name, "way": ways[0], "error": str(error)}]
    found = parse_lines(output)
    if len(found) < len(ways):
        found.append({"network": name, "way": ways[len(found)], "error": end})
    return found


def parse_lines(output: str) -> list[dict[str, Any]]:
    """JSON lines in the output of a process.

    >>> parse_lines('a warning\\n{"network": "resnet8", "way": "native"}\\n{"cut')
    [{'network': 'resnet8', 'way': 'native'}]
    """
    found = []
    for line in output.splitlines():
        if line.startswith("{") and line.endswith("}"):
            found.append(json.loads(line))
    return found


@command(
    option("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all by default"),
    data_dir(),
    results=NAME,
    backend=False,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """One line per network and way that is not recorded yet."""
    from distiller.errors import InputError
    from distiller.utils.suggestions import unknown

    for name in args.networks:
        if name not in NETWORKS:
            raise InputError(unknown("network", name, NETWORKS))
    chosen = args.networks or NETWORKS
    with progress("networks", len(chosen)) as task:
        for place, name in enumerate(chosen, start=1):
            task.say(name)
            recorded = {(line["network"], line["way"]) for line in lines.read(args.results)}
            missing = [way for way in WAYS if (name, way) not in recorded]
            if missing:
                yield [
                    {**line, "size": image_size(name)}
                    for line in convert_in_process(name, missing, args.data_dir, SECONDS)
                ]
            task.advance_to(place)


if __name__ == "__main__":
    sys.exit(main())
