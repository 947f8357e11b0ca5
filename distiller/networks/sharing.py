"""Layers of a student that its teacher has too, and that a training would change in both."""

from collections.abc import Iterable

import keras

from distiller.errors import InputError
from distiller.networks.internals import flatten_layers, own_variables


def check_apart(teachers: Iterable[keras.Model], student: keras.Model) -> None:
    """Raise InputError where a training of the student would change a teacher, which is to stay as it was.

    Layers that are not trained (`layer.trainable = False`) may be shared on TensorFlow. What a layer draws random
    numbers with is not what it answers in inference.

    Args:
        teachers: as they were passed, and as they answer behind their bridges.
        student: built.
    """
    owned = {id(variable) for teacher in teachers for variable in teacher.variables}
    changing = {id(variable) for variable in student.trainable_variables}
    shared: dict[str, None] = {}
    # On JAX a step takes the values of all of its student's variables out of them.
    every = keras.backend.backend() == "jax"

    def changes(variable: keras.Variable) -> bool:
        of_numbers = "int" not in str(variable.dtype)
        return id(variable) in owned and (every or id(variable) in changing or of_numbers)

    for layer in flatten_layers(student):
        looked_at = not isinstance(layer, keras.Model) and (layer.trainable or every)
        if looked_at and any(map(changes, own_variables(layer))):
            shared[layer.name] = None
    if shared:
        raise InputError(
            f"The student shares layers with the teacher, which would be trained with it: {_listed(list(shared))}. "
            "Pass a copy as the teacher: copy = keras.models.clone_model(teacher); "
            "copy.set_weights(teacher.get_weights())"
            + ("" if every else ". Or do not train them: layer.trainable = False")
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
