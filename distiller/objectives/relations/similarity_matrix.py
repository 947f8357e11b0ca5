"""Similarity preserving: samples that the teacher's activations find alike are alike to the student's."""

import keras
from keras import ops

from distiller.objectives.objective import Objective
from distiller.objectives.relations.vectors import compared, flattened, unit


def similarity_preserving(teacher, student):
    """Mean over samples j of (G_t[i, j] − G_s[i, j])², one number per sample i.

    Tung & Mori 2019, 1907.09682, section 3: G holds the inner products of all samples' flattened activations,
    and each row of it is divided by its length. The mean over samples is the paper's loss ‖G_t − G_s‖² / batch². Tung
    and Mori weigh it by 3000.

    Args:
        teacher: a map (batch, height, width, channels), which is flattened, or features (batch, channels).
        student: the same; its height, width and channels may differ.

    Raises:
        InputError: a batch known to hold one sample. Where only the step knows, its loss is 0.

    >>> from keras import ops
    >>> from distiller.objectives import similarity_preserving
    >>> import numpy as np
    >>> loss = similarity_preserving(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [0.0]]))
    >>> print(ops.convert_to_numpy(loss))
    [0.  0.5]
    """
    teacher, student = compared(teacher, student, flattened)
    return ops.mean(ops.square(_similarities(teacher) - _similarities(student)), axis=-1)


def _similarities(vectors):
    # The length of row i does not depend on that of vector i, so one operand can be of unit length: smaller squares.
    return unit(ops.matmul(unit(vectors), ops.transpose(vectors)))


@keras.saving.register_keras_serializable("distiller")
class SimilarityPreserving(Objective):
    """The class of `similarity_preserving`."""

    compares = "relations"
    fewest = 2
    source = "Tung & Mori 2019, 1907.09682"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return similarity_preserving(teacher, student)
