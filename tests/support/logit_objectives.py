"""Logit objectives of every kind, pairs of logits, and gradients to the student, the same way on every backend."""

import keras
import numpy as np
from keras import ops

from distiller import objectives
from distiller.objectives import logits

BATCH = 6
# From a temperature: the arguments of the objective and, where they differ, of the reference.
CONFIGS = {
    "hinton": lambda t: {"temperature": t},
    "mean_squared_logits": lambda t: {},
    "decoupled": lambda t: {"alpha": 1.5, "beta": 3.0, "temperature": t},
    "dist": lambda t: {"beta": 1.5, "gamma": 0.5, "temperature": t},
    "ttm": lambda t: {"temperature": t},
    "wttm": lambda t: {"temperature": max(1.0, t)},
    "standardized": lambda t: {"objective": {"name": "hinton", "temperature": t}},
    "multi_level": lambda t: {"temperatures": [t, 2 * t]},
    "refined": lambda t: {"alpha": 1.5, "beta": 3.0, "temperature": t},
    "alpha_beta": lambda t: {"alpha": 0.7, "beta": 0.4, "temperature": t},
}
REFERENCE_CONFIGS = {**CONFIGS, "standardized": lambda t: {"temperature": t}}
NAMES = list(logits.OBJECTIVES)


def pair(rng, classes, batch=BATCH, scale=3.0):
    return tuple(rng.normal(scale=scale, size=(batch, classes)).astype("float32") for _ in range(2))


def values(tensor):
    return ops.convert_to_numpy(tensor)


def build(name, temperature=4.0):
    return objectives.get({"name": name, **CONFIGS[name](temperature)})


def gradient(loss, student):
    """Gradient of the sum of `loss(student)`."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: ops.sum(loss(x)))(ops.convert_to_tensor(student)))
    import tensorflow as tf

    student = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(student)
        total = tf.reduce_sum(loss(student))
    return tape.gradient(total, student).numpy()
