"""Errors that show in the first batch: before the training, or after its first step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from distiller.data.batches import Batches
from distiller.errors import InputError
from distiller.networks.feature_extraction import in_words
from distiller.objectives.probabilities import check_logits_of
from distiller.trainer.finite import WAY_OUT, Finite
from distiller.trainer.label_checks import check_labels
from distiller.trainer.label_loss import without_labels
from distiller.trainer.targets import LABELS

if TYPE_CHECKING:
    from distiller.objectives.objective import Objective
    from distiller.trainer.distiller import Distiller
    from distiller.trainer.pairing import Pairing


def first_batch(x: Any, y: Any, batch_size: int) -> Any:
    """The first batch of what `fit` is given, as (x, y); None of a stream, of which looking would use up a batch."""
    if isinstance(x, Batches):
        return x[0]
    if _streams(x) or not all(hasattr(part, "shape") for part in keras.tree.flatten(y)):
        return None  # or lists of numbers, of which Keras says that it takes none
    return keras.tree.map_structure(lambda part: part[:batch_size], (x, y))


class Look:
    """The look at the first batch of a stream, from inside the training's own iterator.

    Args:
        distiller: that is about to train.
        watch: keeps the batch for after the step.
    """

    def __init__(self, distiller: "Distiller", watch: "FirstStep"):
        self._distiller, self._watch = distiller, watch

    def __call__(self, batch: Any) -> None:
        """Raise InputError where `check_batch` does."""
        check_batch(self._distiller, batch)
        self._watch.batch = batch
        self._distiller.build_before_tracing(batch)


def check_batch(distiller: "Distiller", batch: Any) -> None:
    """Raise InputError where a batch does not fit the training, or a network answers probabilities to it."""
    check_targets(distiller, batch)
    # Once a Distiller, for it runs the networks; with arrays in parts over devices it cannot.
    if not distiller.looked and keras.distribution.distribution() is None:
        x, targets = distiller.targets(batch)
        check_logits_of(distiller, x, targets.teacher_outputs)
        distiller.looked = True


def _streams(x: Any) -> bool:
    """True where `x` gives batches, with their labels, and is not an array or a structure of arrays."""
    return not all(hasattr(part, "shape") and not hasattr(part, "element_spec") for part in keras.tree.flatten(x))


def check_stored(distiller: "Distiller", x: Any) -> None:
    """Raise InputError where `x` are `Batches` with stored answers of other teachers than the distiller's."""
    if isinstance(x, Batches) and x.taught:
        x.taught.match(distiller.teachers, distiller.pairing.layers)


def check_targets(distiller: "Distiller", batch: Any) -> None:
    """Raise InputError where inputs are no numbers, labels no classes, ids missing, or samples too few to compare."""
    x, targets = distiller.targets(batch)
    if not _finite(x):
        raise InputError("The images hold NaN or infinity. Expected numbers")
    outputs = distiller.pairing.student.output
    for name in distiller.pairing.outputs:
        kind = distiller.label_kinds.get(name)
        if targets.of(name) is None and name in distiller.label_losses:
            raise InputError(without_labels(name, kind))
        check_labels(name, targets, outputs[name].shape, kind)
    for name, objective in distiller.objectives.items():
        if objective.needs_ids and targets.ids is None:
            raise InputError(
                f"Objective {name!r} remembers samples by their ids. "
                'Expected y={"labels": …, "ids": …}. Received: no ids'
            )
        if objective.needs_ids:
            check_ids(name, objective, targets.ids)
        if (objective.compares == "relations" or objective.fewest > 1) and not objective.needs_ids:
            _check_enough(name, objective, distiller.pairing, len(keras.tree.flatten(x)[0]))


def check_all(distiller: "Distiller", y: Any) -> None:
    """Raise InputError where labels of an array, (samples, …), are no classes, or ids beyond those remembered.

    A step may not tell, on JAX.
    """
    if y is None or not all(hasattr(part, "shape") for part in keras.tree.flatten(y)):
        return
    _, targets = distiller.targets((None, y))
    outputs = distiller.pairing.student.output
    for name in distiller.pairing.outputs:
        check_labels(name, targets, outputs[name].shape, distiller.label_kinds.get(name))
    for name, objective in distiller.objectives.items():
        if objective.needs_ids and targets.ids is not None:
            check_ids(name, objective, targets.ids)


def check_ids(name: str, objective: "Objective", given: Any) -> None:
    """Raise InputError where ids of samples, (samples,), are beyond those that an objective remembers."""
    ids, samples = keras.ops.convert_to_numpy(given), getattr(objective, "samples", None)
    if ids.dtype.kind == "f" and (ids != np.floor(ids)).any():
        raise InputError(f"Expected ids that are whole numbers. Received: {ids[ids != np.floor(ids)][0]}")
    if samples and ids.size and not 0 <= ids.min() <= ids.max() < samples:
        raise InputError(
            f"Expected ids 0 … {samples - 1} for the {samples} samples that objective {name!r} remembers. "
            f"Received: {ids.min()} … {ids.max()}"
        )


def _check_enough(name: str, objective: "Objective", pairing: "Pairing", samples: int) -> None:
    """Show the objective a batch whose size is known: while a step is traced it may not be."""

    def spec(tensor: Any) -> Any:
        return keras.KerasTensor((samples, *tensor.shape[1:]), dtype=tensor.dtype)

    if samples < objective.fewest:
        raise InputError(f"Objective {name!r} cannot compare a batch of {samples}: it needs {objective.fewest} or more")
    specs = keras.tree.map_structure(spec, pairing.compared(name, objective, *pairing.symbols()))
    try:
        objective(*specs, keras.KerasTensor((samples,), dtype="int32"))
    except ValueError as error:
        raise InputError(f"Objective {name!r} cannot compare a batch of {samples}: {error}") from error


class FirstStep(Finite):
    """Ends a training whose loss is no number after its first step, and says why; and one that comes to that later.

    It looks before the second step: after each one Keras would wait for the step's numbers, and a GPU for the next.
    """

    def __init__(self, distiller: "Distiller", batch: Any):
        super().__init__(("loss", LABELS, *distiller.objectives))
        self.distiller, self.batch = distiller, batch
        self.begun = self.done = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self._look()
        self.begun = True

    def on_test_begin(self, logs: Any = None) -> None:
        """Called by Keras, after an epoch of a single step too; the metrics are still those of the training."""
        self._look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self._look()
        super().on_epoch_end(epoch, logs)

    def _look(self) -> None:
        if self.done or not self.begun:
            return
        self.done = True
        if hasattr(self.distiller, "jax_state_sync"):
            self.distiller.jax_state_sync()  # within an epoch the state is not in the variables
        # Metrics that were given to `compile` may be no numbers, or of several.
        numbers = self.distiller.get_metrics_result()
        wrong = [name for name, value in numbers.items() if name in self.terms and not np.isfinite(float(value))]
        if wrong:
            raise InputError(_reason(self.distiller, self.batch, wrong))


@contextmanager
def watched(callbacks: Any, watch: Finite) -> Iterator[Any]:
    """The callbacks that `fit` is given, with `watch` first: before others write what such a training has left.

    A `CallbackList` is Keras's to call as it is; it loses the watch again.
    """
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        given = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
        yield [watch, *given]
        return
    callbacks.callbacks.insert(0, watch)
    try:
        yield callbacks
    finally:
        callbacks.callbacks.remove(watch)


def _reason(distiller: "Distiller", batch: Any, wrong: list[str]) -> str:
    if batch is not None:
        x, targets = distiller.targets(batch)
        outputs = distiller.teacher_outputs(x, targets)
        for name, value in outputs.items():
            if not _finite(value):
                return f"The teacher answers NaN or infinity ({in_words(name)}) to the first batch. Expected numbers"
    terms = ", ".join(repr(name) for name in wrong if name != "loss") or repr("loss")
    return f"After the first step {terms} is no finite number. {WAY_OUT}"


def _finite(structure: Any) -> bool:
    """True where all numbers are finite; texts are none."""
    return all(_finite_array(part) for part in keras.tree.flatten(structure))


def _finite_array(part: Any) -> bool:
    if keras.backend.standardize_dtype(part.dtype) == "string":
        return True
    array = keras.ops.convert_to_numpy(part)
    return array.dtype.kind in "OSU" or bool(np.isfinite(array.astype("float64")).all())
