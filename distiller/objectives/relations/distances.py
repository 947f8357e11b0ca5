"""Relational knowledge, distances: samples that the teacher keeps apart are as far apart in the student."""

import keras
from keras import ops

from distiller.objectives.objective import Objective
from distiller.objectives.relations.vectors import compared, count, differences, huber, lengths


def relational_distance(teacher, student):
    """Mean over the other samples j of huber(ψ(t_i, t_j), ψ(s_i, s_j)), one number per sample i.

    Park et al. 2019, 1904.05068, section 3.2.1: ψ(x_i, x_j) = ‖x_i − x_j‖ / μ, where μ is the mean distance over
    all pairs of two samples of the batch, so that scale does not count. The mean over samples is the paper's loss,
    with its sum over pairs divided by their number; their code also counts a sample with itself, at distance 0. Park et
    al. weigh it by 25. Memory: batch² · channels.

    Args:
        teacher: features (batch, channels), or a map (batch, height, width, channels), which is averaged over its
            positions.
        student: the same; its number of channels may differ.

    Raises:
        InputError: a batch known to hold one sample. Where only the step knows, its loss is 0.

    >>> from distiller.objectives import relational_distance
    >>> import numpy as np
    >>> print(relational_distance(np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [1.0], [2.0]])).shape)
    (3,)
    """
    teacher, student = compared(teacher, student)
    losses = huber(_relative_distances(teacher), _relative_distances(student))
    return ops.sum(losses, axis=-1) / ops.maximum(count(student) - 1, 1.0)


def _relative_distances(vectors):
    distances = ops.squeeze(lengths(differences(vectors)), axis=-1)
    samples = count(vectors)
    mean = ops.sum(distances) / ops.maximum(samples * (samples - 1), 1.0)
    return distances / ops.where(mean > 0, mean, 1.0)


@keras.saving.register_keras_serializable("distiller")
class RelationalDistance(Objective):
    """The class of `relational_distance`."""

    compares = "relations"
    fewest = 2
    source = "Park et al. 2019, 1904.05068"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return relational_distance(teacher, student)
