"""The hard labels' term of the loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.networks.masks import MASK
from distiller.trainer.label_markers import known, leading, spread, without_marks
from distiller.trainer.loss_kinds import Kind, kind_of
from distiller.trainer.targets import Targets, over


class LabelsTerm:
    """The mean over labelled rows of mask · weight · loss; for several outputs, the weighted sum of theirs.

    A row is what one number of the loss is about: a sample, a position of a sequence or of a grid, or all positions of
    a sample where the loss makes one number of them.

    Args:
        loss: as in `keras.Model.compile`: one, or for several outputs a dict or list of them.
        shares: weights of the outputs, as `loss_weights` in `keras.Model.compile`; 1 where not given.
        outputs: names of the student's outputs.
        sigmoid: whether an output may be a sigmoid's, of which binary cross-entropies take probabilities.

    Attributes:
        losses: by output.
        kinds: of those losses that are of classes, by output; see `loss_kinds`.

    Raises:
        InputError: losses or weights are not those of the outputs, or a loss takes probabilities, which are no logits.
    """

    def __init__(self, loss: Any, shares: Any, outputs: Sequence[str], *, sigmoid: bool = False):
        self.losses = {name: keras.losses.get(one) for name, one in _by_output("loss", loss, outputs).items()}
        self.kinds = {name: kind for name, one in self.losses.items() if (kind := kind_of(one))}
        for name, kind in self.kinds.items():
            if not kind.from_logits and not (sigmoid and kind.labels == "binary"):
                raise InputError(
                    f"Expected a loss of logits, such as keras.losses.{kind.like.__name__}(from_logits=True). "
                    f"Received: {self.losses[name]!r}, which takes probabilities"
                )
        self.shares = _by_output("loss_weights", shares, outputs) if shares is not None else {}

    def __call__(self, targets: Targets, outputs: Mapping[str, Any], mean_over_replicas: Callable[[Any], Any]) -> Any:
        """The term, a scalar of float32, and over how many rows it is the mean; of several outputs, that with most.

        `mean_over_replicas` makes the number of rows that of the whole batch.
        """
        total, rows = 0.0, []
        for name, loss in self.losses.items():
            labels, kind = targets.of(name), self.kinds.get(name)
            if labels is None:
                raise InputError(without_labels(name, kind))
            per_row = _per_row(loss, without_marks(labels, kind), ops.cast(outputs[name], "float32"))
            if not len(per_row.shape):
                raise InputError(
                    "Expected the loss of the labels to return one number per sample, which weights and missing labels "
                    f"need. Received: a mean or sum over the batch, from {loss!r}"
                )
            counted = ops.ones_like(per_row)
            for factor in (known(labels, kind, per_row), mask_of(outputs, per_row)):
                counted = counted if factor is None else counted * factor
            weights = targets.weights_like(name, per_row)
            weighted = per_row * counted if weights is None else per_row * counted * weights
            rows.append(mean_over_replicas(ops.sum(counted)))
            total = total + self.shares.get(name, 1.0) * over(ops.sum(weighted), rows[-1])
        return total, ops.max(ops.stack(rows))


def _per_row(loss: Any, labels: Any, answers: Any) -> Any:
    """The numbers of a loss before their mean, in its own shape; float32."""
    if isinstance(loss, keras.losses.Loss):
        return ops.cast(loss.call(ops.convert_to_tensor(labels, dtype=loss.dtype), answers), "float32")
    # As Keras wraps a function: it would otherwise repeat labels (batch,) for each of the answers (batch, 1).
    labels = ops.convert_to_tensor(labels, dtype="float32")
    if len(labels.shape) == len(answers.shape) - 1 and answers.shape[-1] == 1:
        labels, answers = (
            (labels[:, None], answers) if len(labels.shape) == 1 else (labels, ops.squeeze(answers, axis=-1))
        )
    elif len(labels.shape) == len(answers.shape) + 1 and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, axis=-1)
    return ops.cast(loss(labels, answers), "float32")


def mask_of(outputs: Mapping[str, Any], like: Any) -> Any:
    """1 for each row that the mask shows, of the rank of `like`; None without a mask.

    Where all positions of a sample are one row, it shows if any of them does.
    """
    if MASK not in outputs:
        return None
    mask = ops.cast(outputs[MASK], "float32")
    shared = leading(mask.shape, like.shape)
    return spread(ops.max(mask, axis=tuple(range(shared, len(mask.shape)))), len(like.shape))


def without_labels(name: str, kind: Kind | None) -> str:
    """One sentence for data without the labels of an output."""
    of = "" if name == LOGITS else f" of the output {name!r}, which has a loss"
    mark = "no class is known give −1" if kind else "nothing is known give NaN"
    return (
        f"Expected labels{of}. Received: none. Where {mark} for each sample, for example "
        f"y=numpy.full(len(x), {'-1' if kind else 'numpy.nan'})"
    )


def without_ignored(labels: Any, losses: Mapping[str, Any]) -> Any:
    """Labels, or a dict of them by output, with −1 in place of the class that a loss ignores."""
    ignored = {name: one for name, loss in losses.items() if (one := getattr(loss, "ignore_class", None)) is not None}
    if not ignored:
        return labels
    if not isinstance(labels, Mapping):
        (ignored_class,) = ignored.values()
        return _marked(labels, ignored_class)
    return {name: _marked(one, ignored[name]) if name in ignored else one for name, one in labels.items()}


def _marked(labels: Any, ignored: int) -> Any:
    labels = ops.cast(labels, "int32")
    return ops.where(labels == ignored, -1, labels)


def _by_output(argument: str, given: Any, outputs: Sequence[str]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        named = dict(given)
    elif isinstance(given, list | tuple):
        named = dict(zip(outputs, given, strict=False)) if len(given) == len(outputs) else {}
    else:
        named = {outputs[0]: given} if len(outputs) == 1 else {}
    if not named and list(outputs) == [LOGITS]:
        raise InputError(f"Expected one `{argument}`, that of the only output. Received: {given!r}")
    if not named or not set(named) <= set(outputs):
        raise InputError(f"Expected `{argument}` by output: {list(outputs)}. Received: {given!r}")
    return {name: one for name, one in named.items() if one is not None}
