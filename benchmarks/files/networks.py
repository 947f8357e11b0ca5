"""Which networks become integer files, and by which tool: our two engines, the converter alone, and ai-edge-quantizer.

    pip install '.[tfmot,peers]'
    python -m benchmarks.files.networks --data-dir DIR

One JSON line a network and way is added to `results/networks.jsonl`; what is recorded is not run again. Every network
has a process of its own with a time limit, so that a tool that crashes or hangs is a result as well.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import lines
from benchmarks.files.network_ways import APPLICATIONS, WAYS, ZOO, size

NAME = "networks.jsonl"
SECONDS = 1800  # that a network may take


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    names = [*ZOO, *APPLICATIONS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.files.networks",
        description="Make networks integer files in every way, and record one JSON line each.",
        epilog=f"networks: {', '.join(names)}. "
        "example: python -m benchmarks.files.networks resnet8 --results runs/networks",
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="these alone; all by default")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps CIFAR-10")
    parser.add_argument("--results", type=Path, default=lines.RESULTS, help="folder of the recorded lines")
    asked = parser.parse_args(arguments)
    for name in asked.networks:
        if name not in names:
            parser.error(f"unknown network {name!r}; expected one of {', '.join(names)}")
    from distiller.progress import Reporter
    from distiller.provenance import provenance

    results = asked.results / NAME
    here, chosen = provenance(), asked.networks or names
    with Reporter().task("networks", len(chosen)) as task:
        for place, name in enumerate(chosen, start=1):
            task.say(name)
            recorded = {(line["network"], line["way"]) for line in lines.read(results)}
            missing = [way for way in WAYS if (name, way) not in recorded]
            if missing:
                found = results_of(name, missing, asked.data_dir, SECONDS)
                lines.append(results, [{**line, "size": size(name), **here} for line in found])
            task.advance_to(place)
    return 0


def results_of(name: str, ways: list[str], data_dir: Path | None, seconds: float) -> list[dict[str, Any]]:
    """One line a way; a way that the process did not live to tell of has an `error`, those after it none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.files.network_ways", name, *ways, "--folder", folder]
        command += ["--data-dir", str(data_dir)] if data_dir else []
        try:
            call = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
            output, end = call.stdout, f"the process ended with exit status {call.returncode}"
        except subprocess.TimeoutExpired as late:
            output, end = (late.stdout or b"").decode(), f"not done after {seconds:g} s"
        except OSError as error:
            return [{"network": name, "way": ways[0], "error": str(error)}]
    found = told(output)
    if len(found) < len(ways):
        found.append({"network": name, "way": ways[len(found)], "error": end})
    return found


def told(output: str) -> list[dict[str, Any]]:
    """The lines of JSON in a process's output.

    >>> told('a warning\\n{"network": "resnet8", "way": "native"}\\n{"cut')
    [{'network': 'resnet8', 'way': 'native'}]
    """
    found = []
    for line in output.splitlines():
        if line.startswith("{") and line.endswith("}"):
            found.append(json.loads(line))
    return found


if __name__ == "__main__":
    sys.exit(main())
