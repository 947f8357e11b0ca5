"""Relational knowledge, angles: three samples form the same angles in the student as in the teacher."""

import keras
from keras import ops

from distiller.objectives.objective import Objective
from distiller.objectives.relations.vectors import compared, count, differences, huber, off_diagonal, unit


def relational_angle(teacher, student):
    """Mean over two other samples i, k of huber(ψ(t_i, t_j, t_k), ψ(s_i, s_j, s_k)), one number per sample j.

    Park et al. 2019, 1904.05068, section 3.2.2: ψ(x_i, x_j, x_k) is the cosine of the angle at x_j between x_i and x_k;
    it is 0 where two of them coincide and there is no angle. The mean over samples is the paper's loss, with its sum
    over triplets of three samples divided by their number; their code also counts those with a sample twice. Park et
    al. weigh it by 50. Memory: batch² · channels and batch³.

    Args:
        teacher: features (batch, channels), or a map (batch, height, width, channels), which is averaged over its
            positions.
        student: the same; its number of channels may differ.

    Raises:
        InputError: a batch known to hold fewer than three samples. Where only the step knows, its loss is 0.

    >>> from distiller.objectives import relational_angle
    >>> import numpy as np
    >>> corner, line = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]), np.array([[-1.0], [0.0], [1.0]])
    >>> print(round(float(relational_angle(corner, line)[1]), 4))
    0.5
    """
    teacher, student = compared(teacher, student, samples=3)
    losses = huber(_angles(teacher), _angles(student)) * off_diagonal(student)
    samples = count(student)
    return ops.sum(losses, axis=(1, 2)) / ops.maximum((samples - 1) * (samples - 2), 1.0)


def _angles(vectors):
    """Cosines of the angles at sample j between samples i and k, (batch j, batch i, batch k)."""
    directions = unit(differences(vectors))
    return ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))


@keras.saving.register_keras_serializable("distiller")
class RelationalAngle(Objective):
    """The class of `relational_angle`."""

    compares = "relations"
    fewest = 3
    source = "Park et al. 2019, 1904.05068"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return relational_angle(teacher, student)
