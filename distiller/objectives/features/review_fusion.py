"""Knowledge review: each of the student's maps, fused with the deeper ones, predicts the teacher's."""

from typing import Any

import keras
from keras import ops

from distiller.objectives.adapters import FeatureObjective
from distiller.objectives.features.fusion import Fusion
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, pool
from distiller.objectives.objective import whole
from distiller.objectives.shapes import check_pairs, describe

LEVELS = (4, 2, 1)


def knowledge_review(teacher, student):
    """Hierarchical context loss, summed over layers, one number per sample.

    Chen et al. 2021, 2104.09044: of each pair of maps the mean squared difference, plus ½, ¼ and ⅛ of that of the maps
    averaged down to 4, 2 and 1 positions along each axis, divided by the sum of the factors. Levels that are not
    smaller than the map are left out. The authors' weights are from 0.6 to 8 by the pair of networks, rising over the
    first 20 epochs.

    Args:
        teacher: maps (batch, height, width, channels), a list.
        student: as many maps of the same shapes, already fused.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import knowledge_review
    >>> import numpy as np
    >>> print(np.asarray(knowledge_review([np.ones((1, 8, 8, 3))], [np.zeros((1, 8, 8, 3))])))
    [1.]
    """
    return sum(_context(constant(t), ops.cast(s, "float32")) for t, s in zip(teacher, student, strict=True))


def _context(teacher, student):
    same_shape(teacher, student, "maps")
    difference = teacher - student
    loss = ops.mean(ops.square(flat(difference)), axis=-1)
    factor = total = 1.0
    for level in LEVELS:
        if level < min(difference.shape[1:-1]):
            factor /= 2
            total += factor
            loss += factor * ops.mean(
                ops.square(flat(pool(difference, (level,) * len(difference.shape[1:-1])))), axis=-1
            )
    return loss / total


def _as_map(features, axes: int):
    return features if len(features.shape) > 2 else ops.reshape(features, (-1, *[1] * axes, features.shape[-1]))


def _vectors_as_maps(*sides):
    """The shapes of both networks' layers, where a pair of vectors has become one of maps of a single position."""
    shapes = [list(side) for side in sides]
    axes = _axes(*sides)
    for place, pair in enumerate(zip(*shapes, strict=False)):
        if all(isinstance(shape, list | tuple) and len(shape) == 2 for shape in pair):
            for side, (batch, channels) in zip(shapes, pair, strict=True):
                side[place] = (batch, *[1] * axes, channels)
    return shapes


def _axes(*sides) -> int:
    """Number of spatial axes of the maps among the layers; two where all are vectors."""
    ranks = [len(shape) for side in sides for shape in side if isinstance(shape, list | tuple)]
    return max(ranks, default=0) - 2 or 2


@keras.saving.register_keras_serializable("distiller")
class KnowledgeReview(FeatureObjective):
    """The class of `knowledge_review`: `teacher_layer` and `student_layer` are lists, in the order of the network.

    The attention-based fusion is always there. It goes from the deepest, the last layer of the list, to the first: a
    1×1 convolution; from the second on, two attention maps that weigh it against what the deeper layers left; then a
    3×3 convolution to the teacher's channels. Convolutions have batch normalization. Resizing repeats neighbours. The
    authors' deepest layer is the pooled features: a pair of vectors (batch, channels) counts as maps of one position.

    Args:
        channels: of the fused maps; None is 512, or the deepest student map's if they are fewer.
    """

    source = "Chen et al. 2021, 2104.09044"

    def __init__(self, *, channels: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels if channels is None else whole("channels", channels)

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the fusion; InputError unless there are as many maps of both."""
        shapes = _vectors_as_maps(teacher_shape, student_shape)
        self.axes = _axes(teacher_shape, student_shape)
        pairs = check_pairs(*shapes, expected="a list of layers, first to deepest", least=1)
        fused = self.channels or min(512, pairs[-1][1][-1])
        self.fusions = [
            Fusion(fused, t[-1], deepest=pair == len(pairs) - 1, dtype=self.dtype_policy)
            for pair, (t, s) in enumerate(pairs)
        ]
        for fusion, (_, student) in zip(self.fusions, pairs, strict=True):
            fusion.build(student)
        words = (describe(t, s, layer="fusion", resized=False) for t, s in pairs)
        self.adapter = f"attention-based fusion by {fused} channels: {', '.join(words)}"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        teacher, student = ([_as_map(features, self.axes) for features in side] for side in (teacher, student))
        outputs: list[Any] = []
        deeper = None
        for taught, maps, fusion in reversed(list(zip(teacher, student, self.fusions, strict=True))):
            output, deeper = fusion(maps, deeper, size=tuple(taught.shape[1:-1]))
            outputs.insert(0, output)
        return knowledge_review(teacher, outputs)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "channels": self.channels}
