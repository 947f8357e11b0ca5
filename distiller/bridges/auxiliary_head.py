"""The student learns the teacher's own classes beside its own."""

import keras

from distiller.bridges.bridge import Bridge
from distiller.bridges.saved_bridge import auxiliary_head


class AuxiliaryHead(Bridge):
    """A second head on the student's last features answers in the teacher's classes; it is cut off at export.

    The head is linear and sees what the student's last layer sees, so that the features it shares with the student's
    own head learn to tell the teacher's classes apart (auxiliary tasks: Caruana 1997, "Multitask learning"; the same
    idea for distillation across label spaces: a teacher's classifier trained away from the student's classes). The
    teacher stays as it is, and no image needs a label of the teacher's.

    Raises, from the Distiller: InputError if the student's last layer is not Dense on features (batch, channels).
    """

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The teacher in its own classes."""
        return teacher

    def head(self, teacher: keras.Model) -> keras.Layer:
        """A linear head with a logit for each class of the teacher, in float32."""
        return auxiliary_head(teacher)
