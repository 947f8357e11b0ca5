"""Layers of a student that its teacher has too, and that a training would change in both."""

from collections.abc import Iterable

import keras

from distiller.errors import InputError


def check_apart(teachers: Iterable[keras.Model], student: keras.Model) -> None:
    """Raise InputError where a training of the student would change a teacher, which is to stay as it was.

    Layers that are not trained (`layer.trainable = False`) may be shared. What a layer draws random numbers with is
    not what it answers in inference.

    Args:
        teachers: as they were passed, and as they answer behind their bridges.
        student: built.
    """
    owned = {id(variable) for teacher in teachers for variable in teacher.variables}
    changing = {id(variable) for variable in student.trainable_variables}
    shared: dict[str, None] = {}
    for layer in student._flatten_layers():
        if isinstance(layer, keras.Model) or not layer.trainable:
            continue
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        if any(id(one) in owned and (id(one) in changing or "int" not in str(one.dtype)) for one in own):
            shared[layer.name] = None
    if shared:
        raise InputError(
            f"The student shares layers with the teacher, which would be trained with it: {_listed(list(shared))}. "
            "Pass a copy as the teacher: copy = keras.models.clone_model(teacher); copy.set_weights(teacher.get_weights()). "
            "Or do not train them: layer.trainable = False"
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
