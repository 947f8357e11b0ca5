"""Some of the teacher's own classes."""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.bridges.bridge import Bridge
from distiller.errors import InputError
from distiller.networks.feature_extraction import entry
from distiller.utils.suggestions import unknown


class Subset(Bridge):
    """The student learns some of the teacher's classes: the others' logits are left out.

    A softmax over what is left is the teacher's distribution given that the class is one of these:
    p(c | c in subset) = p(c) / sum of p over the subset. Nothing is fitted.

    Args:
        classes: for each class of the student, the teacher's: its index, or its name where `names` is given.
        names: the names of the teacher's classes.

    Raises:
        InputError: fewer than two classes, one twice, or one that the teacher does not have or has twice.

    >>> from distiller.bridges import Subset
    >>> Subset(["dog", "cat"], names=["bird", "cat", "dog"]).indices
    [2, 1]
    """

    def __init__(self, classes: Sequence[int | str], names: Sequence[str] | None = None):
        self.indices = [class_index(item, names, owner="teacher") for item in classes]
        self.names = names
        if len(self.indices) < 2 or len(set(self.indices)) < len(self.indices):
            raise InputError(f"Expected two or more different classes. Received: {list(classes)}")

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The teacher with the logits of its other classes left out."""
        if len(self.indices) != classes:
            raise InputError(f"The subset has {len(self.indices)} classes and the student {classes}. Expected as many")
        check_classes(teacher, self.indices, self.names)
        # Named after the teacher, which may be a bridged network itself: names of layers are unique.
        name = f"{teacher.name}_subset"
        return keras.Model(entry(teacher), Select(self.indices, name=name)(teacher.outputs[0]), name=name)


@keras.saving.register_keras_serializable("distiller")
class Select(keras.layers.Layer):
    """Columns of the last axis: (batch, n) to (batch, len(indices)), in float32."""

    takes_logits = True

    def __init__(self, indices: Sequence[int], **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.indices = list(indices)

    def call(self, inputs: Any) -> Any:
        """The chosen columns, in order."""
        return ops.take(inputs, np.array(self.indices, "int32"), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "indices": self.indices}


# Of a network whose names of classes are not known.
_MOST_CLASSES = 2**20


def class_index(item: int | str, names: Sequence[str] | None, *, owner: str) -> int:
    """The index of a class of `owner`, the "teacher" or the "student", that is given by name or by index.

    Raises:
        InputError: no such class, two of that name, or a name where `names` is None.
    """
    if isinstance(item, str):
        if names is None:
            raise InputError(f"Expected the names of the {owner}'s classes, to find class {item!r} in. Received: none")
        if item not in names:
            raise InputError(unknown(f"class of the {owner}", item, names))
        places = [place for place, name in enumerate(names) if name == item]
        if len(places) > 1:
            raise InputError(
                f"Expected one class of the {owner} named {item!r}. Received: several, at {places}. Give its index"
            )
        return places[0]
    try:
        index = -1 if isinstance(item, bool) else operator.index(item)
    except TypeError:
        index = -1
    classes = _MOST_CLASSES if names is None else len(names)
    if not 0 <= index < classes:
        known = f"a name or an index from 0 to {classes - 1}"
        if names is None:
            known = "an index of 0 or more" if index < 0 else f"an index below {classes:,}"
        raise InputError(f"Expected classes of the {owner} as {known}. Received: {item!r}")
    return index


def check_classes(teacher: keras.Model, indices: Iterable[int], names: Sequence[str] | None) -> None:
    """Raise InputError unless `teacher` has one output, with the classes at `indices` and as many as `names`."""
    if len(teacher.outputs) != 1:
        raise InputError(f"Expected a teacher of one output. Received: {len(teacher.outputs)} outputs")
    known, highest = teacher.output_shape[-1], max(indices)
    if highest >= known:
        raise InputError(f"Expected classes below {known}, the teacher's number of classes. Received: {highest}")
    if names is not None and len(names) != known:
        raise InputError(f"Expected a name for each of the teacher's {known} classes. Received: {len(names)} names")
