"""Delegate that ran the model, and how much of it, from what the tool printed.

Asking for a delegate is not having it: a phone without OpenCL, or an operator that it lacks, and the tool goes on with
another one.
"""

import dataclasses
import re
from dataclasses import dataclass

from tflite.benchmark_tool.lines import printable
from tflite.benchmark_tool.statistics import COUNT

_APPLIED = re.compile(
    r"(?:Explicitly a|A)pplied (?P<name>\S+) delegate, and the model graph will be (?P<part>completely|partially) "
    rf"executed (?:by|w/) the delegate(?: w/ (?P<kernels>{COUNT}) delegate kernels)?\."
)
_IN_VAIN = re.compile(
    r"Though (?P<name>\S+) delegate is explicitly applied, the model graph will not be executed by the delegate\.?"
)
_REPLACING = re.compile(
    rf"Replacing (?P<taken>{COUNT}) out of (?P<nodes>{COUNT}) node\(s\) with delegate \((?P<name>[^)]*)\) node, "
    rf"yielding (?P<partitions>{COUNT}) partitions.*"
)
_CREATED = re.compile(
    r"Created TensorFlow Lite (?:(?P<cpu>XNNPACK) delegate for CPU|delegate for (?P<name>GPU|NNAPI)).*"
)
_SWITCH = re.compile(r"Use (?P<name>gpu|GPU|nnapi|NNAPI|xnnpack|XNNPACK) ?: \[(?P<on>[01])\]")

# What the tool calls them → what this package does; the first that fits. LiteRT's for GPUs are LITERT_CL,
# LITERT_OPENGL and LITERT_WEBGPU.
_NAMES = (
    ("xnnpack", "xnnpack"),
    ("nnapi", "nnapi"),
    ("gpu", "gpu"),
    ("drift", "gpu"),
    ("opencl", "gpu"),
    ("litert_cl", "gpu"),
    ("opengl", "gpu"),
)
# It runs the operators of TensorFlow that TFLite lacks, and accelerates nothing.
_FLEX = "flex"


@dataclass(frozen=True)
class Delegation:
    """The delegate that ran the model: "xnnpack", "gpu", "nnapi", "none", or "unknown" where the log does not say.

    One that is none of these has the name that the log gives it. `complete` says whether it ran the whole model, of all
    subgraphs that the log names; `note` is a sentence where it did not; both None where the log does not say. `refused`
    names delegates that were asked for and took nothing. `taken` of `operators` ran in the delegate, all subgraphs
    together; both None where the log gives no numbers.
    """

    name: str = "unknown"
    complete: bool | None = None
    note: str | None = None
    refused: tuple[str, ...] = ()
    taken: int | None = None
    operators: int | None = None

    def counts(self, operators: int | None) -> tuple[int | None, int | None]:
        """The operators that the delegate ran and those of the file, which has so many; None for what is not known.

        >>> Delegation("gpu", True).counts(12), Delegation("gpu", False).counts(12), Delegation("none").counts(12)
        ((12, 12), (None, 12), (0, 12))
        """
        if self.taken is not None:
            return self.taken, self.operators
        if self.complete:
            return operators, operators
        return (0 if self.name == "none" else None), operators


def parse_delegation(lines: list[str]) -> Delegation:
    """The delegate that a log shows."""
    applied: dict[str, Delegation] = {}
    replaced: dict[str, dict[str, tuple[int, ...]]] = {}
    created, refused, switched = [], [], {}
    for line in lines:
        if match := _APPLIED.fullmatch(line):
            name = _known(match["name"])
            applied[name] = _applied(name, match["part"] == "completely", match["kernels"])
        elif match := _REPLACING.fullmatch(line):
            name = _known(match["name"])
            numbers = tuple(int(match[part]) for part in ("taken", "nodes", "partitions"))
            replaced.setdefault(name, {})[line] = numbers  # a line that is printed again counts once
        elif match := _IN_VAIN.fullmatch(line):
            refused.append(_known(match["name"]))
        elif match := _CREATED.fullmatch(line):
            created.append(_known(match["cpu"] or match["name"]))
        elif match := _SWITCH.fullmatch(line):
            switched[_known(match["name"])] = match["on"] == "1"
    refusals = tuple(dict.fromkeys(refused))
    for name, subgraphs in replaced.items():
        taken, nodes, partitions = (sum(numbers) for numbers in zip(*subgraphs.values(), strict=True))
        if taken:
            applied[name] = _replacing(applied.get(name, Delegation(name)), taken, nodes, partitions)
    # What is left of a model after another delegate goes to XNNPACK: that one was asked for.
    ran = {name: found for name, found in applied.items() if name not in refusals and _FLEX not in name.lower()}
    for name in ("gpu", "nnapi", *sorted(ran, key=lambda name: name == "xnnpack")):
        if name in ran:
            return dataclasses.replace(ran[name], refused=refusals)
    for name in ("gpu", "nnapi", "xnnpack"):
        if name in created and name not in refusals:
            return Delegation(name, refused=refusals)
    off = switched.get("xnnpack") is False and not any(on for name, on in switched.items() if name not in refusals)
    return Delegation("none" if off or "xnnpack" in refusals else "unknown", refused=refusals)


def _known(name: str) -> str:
    return next((ours for theirs, ours in _NAMES if theirs in name.lower()), printable(name))


def _applied(name: str, complete: bool, kernels: str | None) -> Delegation:
    note = None if complete else f"{name} ran a part of the model, in {kernels or 'several'} pieces"
    return Delegation(name, complete, note)


def _replacing(before: Delegation, taken: int, nodes: int, partitions: int) -> Delegation:
    """Delegation of the main subgraph, with the operators of all."""
    if taken == nodes:
        return dataclasses.replace(before, complete=before.complete is not False, taken=taken, operators=nodes)
    note = f"{before.name} ran {taken} of {nodes} operators, {partitions} partitions in all"
    return dataclasses.replace(before, complete=False, note=note, taken=taken, operators=nodes)
