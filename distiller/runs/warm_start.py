"""A student that begins with the weights of the same network, trained elsewhere, perhaps on other classes."""

from pathlib import Path

import keras

from distiller import teachers
from distiller.errors import InputError


def begin_with(student: keras.Model, path: str | Path) -> list[str]:
    """Give `student` the weights of the network in a file, all but those of a last layer of other classes.

    Args:
        student: a new network, changed in place.
        path: `.keras` or `.h5` file of the same network, such as the `NAME-SEED.keras` of another run.

    Returns the names of the layers that stay new: none, or the last.

    Raises:
        InputError: the file cannot be read, or holds another network; nothing has been changed then.
    """
    source = teachers.load(path, role="student")
    own, theirs = (_with_weights(network) for network in (student, source))
    different = [
        place
        for place, (one, other) in enumerate(zip(own, theirs, strict=False))
        if [tuple(w.shape) for w in one.weights] != [tuple(w.shape) for w in other.weights]
    ]
    last = len(own) - 1
    if len(own) != len(theirs) or any(place != last for place in different):
        where = f"{own[different[0]].name!r} is the first layer that differs" if different else "as many layers"
        if len(own) != len(theirs):
            where = f"it has {len(own)} layers with weights and the file {len(theirs)}"
        raise InputError(
            f"warm_start: expected the student's network, {student.name}, but for its last layer. "
            f"Received: {str(path)!r} with {source.name}: {where}"
        )
    for place, (one, other) in enumerate(zip(own, theirs, strict=True)):
        if place not in different:
            one.set_weights(other.get_weights())
    return [own[place].name for place in different]


def _with_weights(network: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in network.layers if layer.weights]
