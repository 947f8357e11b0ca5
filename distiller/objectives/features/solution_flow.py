"""Flow of solution procedure: how one layer's channels turn into another's."""

import keras
from keras import ops

from distiller.objectives.adapters import AdaptedLayersObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, pool, positions
from distiller.objectives.shapes import common_size


def flow(teacher, student):
    """Mean of the squared differences of the two networks' flow matrices, one number per sample.

    Yim et al. 2017, CVPR, equations 1 and 2: flow G = Σ_positions first ⊗ second / (height · width), a matrix of the
    channels of a first and a second layer. The larger map of the two is pooled to the smaller by the maximum. They sum
    the squares and train with this alone at first, with the labels afterwards; the mean does not grow with the
    channels, and public experiments beside the labels weigh it by 1.

    Args:
        teacher: two maps (batch, height, width, channels).
        student: two maps of the same numbers of channels, of any height and width.

    Raises:
        InputError: the numbers of channels differ.

    >>> from distiller.objectives import flow
    >>> import numpy as np
    >>> ones = np.ones((1, 2, 2, 3))
    >>> print(np.asarray(flow([ones, ones], [ones, 3 * ones])))
    [4.]
    """
    teacher = _flow_matrix(*(constant(maps) for maps in teacher))
    student = _flow_matrix(*(ops.cast(maps, "float32") for maps in student))
    same_shape(teacher, student, "flow matrices (batch, first channels, second channels)")
    return ops.mean(flat(ops.square(teacher - student)), axis=-1)


def _flow_matrix(first, second):
    size = common_size(first.shape, second.shape)
    first, second = (positions(pool(maps, size, most=True)) for maps in (first, second))
    return ops.matmul(ops.transpose(first, (0, 2, 1)), second) / first.shape[1]


@keras.saving.register_keras_serializable("distiller")
class Flow(AdaptedLayersObjective):
    """The class of `flow`: `teacher_layer` and `student_layer` are lists of two layers, first and second.

    Where the channels of a pair of layers differ, the student's pass a 1×1 convolution. Sizes may differ between the
    networks, for the matrices are sums over positions.
    """

    source = "Yim et al. 2017, CVPR"
    expected = "a list of two layers"
    most = 2

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return flow(*self.adapt(teacher, student))
