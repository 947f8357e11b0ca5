"""The hard labels' term of the loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.masks import MASK
from distiller.taps import LOGITS
from distiller.targets import Targets, known, over, rows, without_marks

_CROSS_ENTROPIES = {
    keras.losses.SparseCategoricalCrossentropy: keras.losses.sparse_categorical_crossentropy,
    keras.losses.CategoricalCrossentropy: keras.losses.categorical_crossentropy,
    keras.losses.CategoricalFocalCrossentropy: keras.losses.categorical_focal_crossentropy,
}
_BINARY = {
    keras.losses.BinaryCrossentropy: keras.losses.binary_crossentropy,
    keras.losses.BinaryFocalCrossentropy: keras.losses.binary_focal_crossentropy,
}


class LabelsTerm:
    """The mean over labelled rows of mask · weight · loss; for several outputs, the weighted sum of theirs.

    Args:
        loss: as in `keras.Model.compile`: one, or for several outputs a dict or list of them.
        shares: weights of the outputs, as `loss_weights` in `keras.Model.compile`; 1 where not given.
        outputs: names of the student's outputs.
        sigmoid: whether an output may be a sigmoid's, of which binary cross-entropies take probabilities.

    Raises:
        InputError: losses or weights are not those of the outputs, or a loss takes probabilities, which are no logits.
    """

    def __init__(self, loss: Any, shares: Any, outputs: Sequence[str], *, sigmoid: bool = False):
        refused = _CROSS_ENTROPIES if sigmoid else {**_CROSS_ENTROPIES, **_BINARY}
        self.losses = {name: _of_logits(one, refused) for name, one in _by_output("loss", loss, outputs).items()}
        self.shares = _by_output("loss_weights", shares, outputs) if shares is not None else {}

    def __call__(self, targets: Targets, outputs: Mapping[str, Any], mean_over_replicas: Callable[[Any], Any]) -> Any:
        """A scalar of float32; `mean_over_replicas` makes the number of labelled rows that of the whole batch."""
        total = 0.0
        for name, loss in self.losses.items():
            labels = targets.of(name)
            if labels is None:
                raise InputError(without_labels(name))
            labels = without_marks(labels) if may_be_marked(labels, name) else labels
            per_row = getattr(loss, "call", loss)(labels, ops.cast(outputs[name], "float32"))
            if not len(per_row.shape):
                raise InputError(
                    "Expected the loss of the labels to return one number a sample, which weights and missing labels "
                    f"need. Received: a mean or sum over the batch, from {loss!r}"
                )
            given = counts(targets, name, outputs, per_row)
            labelled = counts(targets, name, outputs, per_row, weighted=False)
            mean = over(ops.sum(per_row * given), mean_over_replicas(ops.sum(labelled)))
            total = total + self.shares.get(name, 1.0) * mean
        return total

    def labelled(self, targets: Targets, outputs: Mapping[str, Any], mean_over_replicas: Callable[[Any], Any]) -> Any:
        """How many rows the mean is over, a float32 scalar; of several outputs, of that with most."""
        found = []
        for name in self.losses:
            like = ops.zeros(ops.shape(outputs[name])[:-1])
            found.append(mean_over_replicas(ops.sum(counts(targets, name, outputs, like, weighted=False))))
        return ops.max(ops.stack(found))


def without_labels(name: str) -> str:
    """One sentence for data without the labels of an output."""
    of = "" if name == LOGITS else f" of the output {name!r}, which has a loss"
    return (
        f"Expected labels{of}. Received: none. Where no class is known give −1 for each sample, for example "
        "y=numpy.full(len(x), -1)"
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


def counts(targets: Targets, output: str, outputs: Mapping[str, Any], like: Any, *, weighted: bool = True) -> Any:
    """How much each row of an output counts for its labels: labelled · mask · weight, float32, shaped as `like`."""
    labels = targets.of(output)
    marked = known(labels, like) if may_be_marked(labels, output) else ops.ones(ops.shape(like))
    weights = targets.weights if weighted else None
    given = rows(ops.expand_dims(like, -1), mask=outputs.get(MASK), weights=weights)
    return marked if given is None else marked * given


def may_be_marked(labels: Any, output: str) -> bool:
    """Whether −1 marks a label as unknown: of several outputs only integers, since others may be any number."""
    return output == LOGITS or "int" in keras.backend.standardize_dtype(labels.dtype)


def _of_logits(loss: Any, refused: Mapping[Any, Any]) -> Any:
    """The loss, if it may be one of logits: cross-entropies of probabilities take them without an error."""
    found = keras.losses.get(loss)
    for kind, function in refused.items():
        if found is function or (isinstance(found, kind) and not found.from_logits):
            raise InputError(
                f"Expected a loss of logits, such as keras.losses.{kind.__name__}(from_logits=True). "
                f"Received: {loss!r}, which takes probabilities"
            )
    return found


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
