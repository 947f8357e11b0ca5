"""Contrastive representations: a sample's student tells its own teacher's answer from those to other samples."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.objective import Objective, positive, whole
from distiller.objectives.relations.estimation import Embeddings, identified, losses
from distiller.objectives.relations.negatives import source
from distiller.objectives.relations.vectors import compared, unit


def contrastive(teacher, student, labels=None, temperature: float = 0.07, others: Embeddings | None = None):
    """−log h(s_i, t_i) − sum over negatives j of log(1 − h(s_i, t_j)), and the same with s and t exchanged.

    Tian et al. 2019, 1910.10699, section 3, with s and t embeddings of length 1 and N negatives of the sample,

        h(s, t) = e / (e + N), where e = exp(s · t / temperature) / Z and Z is the mean of exp(s · t / temperature).

    They write M · Z and N / M with M samples in the data, which cancels. A negative is another sample not known to be
    of the same class; a sample that has none has loss 0. The mean over samples is the paper's loss, which they weigh
    by 0.8 with 16384 negatives per sample. The pair is of this step, also where the negatives are of earlier ones;
    their code takes the other half of the pair from the memory too.

    Args:
        teacher: embeddings (batch, dimensions).
        student: embeddings (batch, dimensions).
        labels: classes (batch,) where known; −1 marks an unlabelled sample. Soft labels count as unknown.
        temperature: above 0.
        others: where negatives are taken from; the batch by default.

    Raises:
        InputError: embeddings of other dimensions, or a batch known to hold one sample, without `others`. Where only
            the step knows, its loss is 0.

    >>> from keras import ops
    >>> from distiller.objectives import contrastive
    >>> import numpy as np
    >>> print(ops.convert_to_numpy(contrastive(np.eye(2), np.eye(2), temperature=1.0)).round(3))
    [1.903 1.903]
    """
    teacher, student = compared(teacher, student, samples=2 if others is None else 1)
    same_shape(teacher, student, "embeddings")
    samples = identified(unit(teacher), unit(student), labels)
    return losses(samples, samples if others is None else others, temperature)[0]


@keras.saving.register_keras_serializable("distiller")
class Contrastive(Objective):
    """The class of `contrastive`, on learned linear embeddings of both networks' features.

    Z is that of the first training step, as in the paper. Queue, memory and Z change only where `training` is true.
    Features are (batch, channels), or maps (batch, height, width, channels), which are averaged over their positions.

    Args:
        dimensions: of the embeddings.
        temperature: above 0.
        negatives: "batch", the other samples of the batch; "queue", the last `size` samples; "memory", the paper's:
            embeddings of all the data by sample id, of which `size` are drawn a step.
        size: negatives kept or drawn; not of "batch".
        momentum: what a memory keeps of a sample's embeddings when it sees the sample again; 0 ≤ momentum < 1.
        samples: number of samples of the data, for "memory"; ids are 0 … samples − 1.

    Raises:
        InputError: an argument or a batch does not fit, or "memory" is called without ids.
    """

    compares = "relations"
    source = "Tian et al. 2019, 1910.10699"

    def __init__(
        self,
        *,
        dimensions: int = 128,
        temperature: float = 0.07,
        negatives: str = "batch",
        size: int = 16384,
        momentum: float = 0.5,
        samples: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.dimensions = whole("dimensions", dimensions)
        self.temperature = positive("temperature", temperature)
        self.negatives, self.size, self.momentum, self.samples = negatives, size, momentum, samples
        self.others = source(negatives, size, samples, momentum)
        self.needs_ids = self.others.needs_ids
        self.fewest = 2 if negatives == "batch" else 1
        self.embed_teacher = keras.layers.Dense(self.dimensions, dtype="float32", name="embed_teacher")
        self.embed_student = keras.layers.Dense(self.dimensions, dtype="float32", name="embed_student")

    def build(self, teacher_shape, student_shape, labels_shape=None, ids_shape=None):
        """Make the embeddings, what is kept of earlier batches, and Z; InputError unless the channels are known."""
        for role, shape in (("teacher", teacher_shape), ("student", student_shape)):
            if not isinstance(shape[-1], int):
                raise InputError(
                    f"Expected the {role}'s features to be one tensor of shape (batch, channels) or "
                    f"(batch, height, width, channels), its channels known. Received: {shape}"
                )
        self.embed_teacher.build((None, teacher_shape[-1]))
        self.embed_student.build((None, student_shape[-1]))
        self.others.build(self.dimensions)
        kept = {"trainable": False, "initializer": "zeros", "aggregation": "only_first_replica"}
        self.levels = self.add_weight(shape=(2,), name="levels", **kept)
        self.levels_known = self.add_weight(shape=(), name="levels_known", dtype="int32", **kept)

    def call(self, teacher, student, labels=None, ids=None, training=False):
        """One loss per sample, float32 (batch,)."""
        if self.needs_ids and ids is None:
            raise InputError("Expected `ids`, the integer ids of the samples (batch,), for the memory. Received: None")
        teacher, student = compared(teacher, student, samples=self.fewest)
        samples = identified(unit(self.embed_teacher(teacher)), unit(self.embed_student(student)), labels, ids)
        others = self.others.draw(samples)
        known, kept = ops.convert_to_tensor(self.levels_known) > 0, ops.convert_to_tensor(self.levels)
        per_sample, levels = losses(samples, others, self.temperature, lambda found: ops.where(known, kept, found))
        if training:
            self.levels.assign(levels)
            self.levels_known.assign(1)
            self.others.keep(samples)
        return per_sample

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = ("dimensions", "temperature", "negatives", "size", "momentum", "samples")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
