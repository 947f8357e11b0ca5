"""Metrics as Keras takes them: what they see of a batch, and in which structure they are given."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from distiller.labels import counts, may_be_marked
from distiller.taps import LOGITS
from distiller.targets import Targets, without_marks


def as_keras_takes_it(targets: Targets, outputs: Mapping, names: list[str]) -> tuple[Any, Any, Any]:
    """Labels, answers and weights: of one output, or dicts of several."""
    found = {}
    for name in names:
        labels = targets.of(name)
        if labels is not None:
            like = ops.zeros(ops.shape(outputs[name])[:-1])
            marked = without_marks(labels) if may_be_marked(labels, name) else labels
            found[name] = marked, outputs[name], counts(targets, name, outputs, like)
    if names == [LOGITS]:
        return found[LOGITS]
    labels, answers, weights = ({name: parts[place] for name, parts in found.items()} for place in range(3))
    return labels, answers, weights


def together(metrics, weighted):
    """Metrics and weighted metrics in one structure."""
    if not isinstance(metrics, Mapping) and not isinstance(weighted, Mapping):
        return [*(metrics or []), *(weighted or [])]
    both: dict[str, list] = {}
    for group in (metrics or {}, weighted or {}):
        for name, some in group.items():
            both.setdefault(name, []).extend(some if isinstance(some, list | tuple) else [some])
    return both
