"""Numbers an operator, as Google's Model Explorer lays them over a graph."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tflite.errors import ModelError
from tflite.model_file.files import check_writable, write_whole
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    from tflite.inspection.inspector import Inspection

QUANTITIES = ("multiply_adds", "weight_bytes")
# From the smallest number to the largest.
_GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#e8590c"}]


def overlay(inspection: "Inspection", path: str | Path, quantity: str = "multiply_adds") -> Path:
    """Write a quantity of every operator as node data of Model Explorer.

    Model Explorer opens the `.tflite` file, and this one with "Add per-node data". The format is `GraphNodeData` of its
    `node_data_builder`: `results` from a node's key, which is the name of its output tensor or, where several have
    that name, its index, to its `value`.

    Raises:
        ModelError: an unknown quantity, or a path that is not writable.
    """
    if quantity not in QUANTITIES:
        raise ModelError(unknown("quantity", quantity, QUANTITIES))
    path = check_writable(path)
    names = [operator.outputs[0].name if operator.outputs else "" for operator in inspection.operators]
    results = {}
    for name, cost in zip(names, inspection.costs, strict=True):
        value = getattr(cost, quantity)
        if value is not None:
            results[name if name and names.count(name) == 1 else str(cost.index)] = {"value": value}
    write_whole(path, json.dumps({"results": results, "gradient": _GRADIENT}, indent=1).encode())
    return path
