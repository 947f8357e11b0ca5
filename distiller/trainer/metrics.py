"""Metrics as Keras takes them: what they see of a batch, and in which structure they are given."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from distiller.networks.feature_extraction import LOGITS
from distiller.trainer.label_loss import mask_of
from distiller.trainer.label_markers import known, spread, without_marks
from distiller.trainer.loss_kinds import Kind
from distiller.trainer.targets import Targets


def as_keras_takes_it(
    targets: Targets, outputs: Mapping[str, Any], names: list[str], kinds: Mapping[str, Kind]
) -> tuple[Any, Any, Any]:
    """Labels, answers and weights: of one output, or dicts of several."""
    found = {
        name: (labels, outputs[name], weights)
        for name in names
        if targets.of(name) is not None
        for labels, weights in [seen(targets, outputs, name, kinds.get(name))]
    }
    if names == [LOGITS]:
        return found[LOGITS]
    labels, answers, weights = ({name: parts[place] for name, parts in found.items()} for place in range(3))
    return labels, answers, weights


def seen(targets: Targets, outputs: Mapping[str, Any], name: str, kind: Kind | None) -> tuple[Any, Any]:
    """Labels of an output without marks, and weights: nothing for what is unlabelled or hidden."""
    labels, like = targets.of(name), outputs[name][..., 0]
    weights = ops.ones(ops.shape(like)[:1])
    for factor in (known(labels, kind, like), mask_of(outputs, like), targets.weights_like(name, like)):
        if factor is not None:
            weights = spread(weights, len(factor.shape)) * factor
    return without_marks(labels, kind), weights


def together(metrics: Any, weighted: Any) -> Any:
    """Metrics and weighted metrics in one structure."""
    if not isinstance(metrics, Mapping) and not isinstance(weighted, Mapping):
        return [*(metrics or []), *(weighted or [])]
    both: dict[str, list[Any]] = {}
    for group in (metrics or {}, weighted or {}):
        for name, some in group.items():
            both.setdefault(name, []).extend(some if isinstance(some, list | tuple) else [some])
    return both
