"""Values and gradients of objectives, the same way on every backend."""

import keras
import numpy as np
from keras import ops


def gradient(objective, teacher, student, labels):
    """Gradients of the summed loss: to the teacher, the student and the objective's adapters."""
    objective(teacher, student, labels)  # makes the adapters
    if keras.backend.backend() == "jax":
        return _on_jax(objective, teacher, student, labels)
    import tensorflow as tf

    teacher, student = (keras.tree.map_structure(tf.Variable, side) for side in (teacher, student))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(objective(teacher, student, labels))
    return tape.gradient(loss, [teacher, student, [v.value for v in objective.trainable_variables]])


def _on_jax(objective, teacher, student, labels):
    import jax

    variables = objective.trainable_variables

    def loss(teacher, student, values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return ops.sum(objective(teacher, student, labels))

    sides = (keras.tree.map_structure(ops.convert_to_tensor, side) for side in (teacher, student))
    return jax.grad(loss, argnums=(0, 1, 2))(*sides, [v.value for v in variables])


def value_and_gradients(objective, teacher, student, labels):
    """Losses, and gradients to the student and to adapters that all backends have the same start of; float64 arrays."""
    objective(teacher, student, labels)
    rng = np.random.default_rng(5)
    for variable in objective.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape).astype("float32"))
    loss = objective(teacher, student, labels)
    _, to_student, to_adapters = gradient(objective, teacher, student, labels)
    parts = [loss, *keras.tree.flatten(to_student), *to_adapters]
    return [np.asarray(ops.convert_to_numpy(part), "float64") for part in parts]
