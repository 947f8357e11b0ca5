"""Values and gradients of objectives, the same way on every backend."""

import keras
import numpy as np
from keras import ops


def gradients(objective, teacher, student, labels=None, *, reduce=ops.sum):
    """Of the reduced loss: arrays to teacher, student and adapters, of each a list; None where there is none."""
    objective(teacher, student, labels)  # makes the adapters
    adapters = [v.value for v in objective.trainable_variables]
    if keras.backend.backend() == "jax":
        found = _on_jax(objective, teacher, student, labels, adapters, reduce)
    else:
        import tensorflow as tf

        sides = [keras.tree.map_structure(tf.Variable, side) for side in (teacher, student)]
        with tf.GradientTape() as tape:
            loss = reduce(objective(*sides, labels))
        found = tape.gradient(loss, [*sides, adapters])
    return [[g if g is None else ops.convert_to_numpy(g) for g in keras.tree.flatten(part)] for part in found]


def _on_jax(objective, teacher, student, labels, adapters, reduce):
    import jax

    variables = objective.trainable_variables

    def loss(teacher, student, values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return reduce(objective(teacher, student, labels))

    sides = (keras.tree.map_structure(ops.convert_to_tensor, side) for side in (teacher, student))
    return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*sides, adapters)


def value_and_gradients(objective, teacher, student, labels):
    """Losses, and gradients to the student and to adapters that all backends have the same start of; float64 arrays."""
    objective(teacher, student, labels)
    rng = np.random.default_rng(5)
    for variable in objective.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape).astype("float32"))
    loss = ops.convert_to_numpy(objective(teacher, student, labels))
    _, to_student, to_adapters = gradients(objective, teacher, student, labels)
    return [np.asarray(part, "float64") for part in (loss, *to_student, *to_adapters)]
