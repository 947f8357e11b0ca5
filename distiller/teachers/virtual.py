"""Virtual teacher: a fixed soft-label distribution, no network."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.logits.checks import several_classes
from distiller.objectives.objective import Objective, kl_divergence, log_softmax, positive


def virtual(student: Any, labels: Any, correct: float = 0.99, temperature: float = 20.0) -> Any:
    """KL(softmax(p / temperature) ‖ softmax(student)), one number per sample, for a teacher made of the label.

    Tf-KD_reg, Yuan et al. 2020, 1909.11723, section 5: the virtual teacher gives `correct` to the right class and the
    same to each of the others, p = correct or (1 − correct) / (classes − 1). As in the authors' code it is softened
    from its probabilities and the student is not softened, so that the target is close to uniform: of 10 classes, the
    right one has 0.105 at a temperature of 20. Beside the labels that is a penalty on being too sure. Their weights
    for it and for the labels are 0.1 and 0.9 (ResNet-18, CIFAR-100), and 0.0095 and 0.05 at a temperature of 40
    (MobileNetV2). Their code has a mean over the classes times a `multiplier`, 100 and 1: the second is 0.95 there.

    Args:
        student: logits (batch, classes).
        labels: classes (batch,), −1 for unlabelled, or probabilities (batch, classes), whose virtual teacher is the
            mean of those of the classes. An unlabelled sample has no right class and a loss of 0.
        correct: probability of the right class, above 1 / classes and at most 1; theirs is 0.99, and 0.9 or more.
        temperature: above 0.

    Raises:
        InputError: one class, labels of another shape, or `correct` is no more than chance.

    >>> import numpy as np
    >>> loss = virtual(np.zeros((2, 10)), np.array([3, -1]), correct=0.9, temperature=0.1)
    >>> print(np.asarray(loss).round(3))
    [2.29 0.  ]
    """
    several_classes(student, student)
    classes = student.shape[-1]
    if not 1 / classes < correct <= 1:
        raise InputError(
            f"Invalid value for `correct`. Expected more than {1 / classes:.3g}, the chance of {classes} classes, and "
            f"at most 1. Received: correct={correct}"
        )
    shares, known = _shares(labels, classes)
    p = shares * correct + (1 - shares) * ((1 - correct) / (classes - 1))
    return known * kl_divergence(log_softmax(p, temperature), log_softmax(student, 1.0))


def _shares(labels: Any, classes: int) -> Any:
    """Labels as probabilities (batch, classes), and 1 where they are known, (batch,)."""
    labels = ops.convert_to_tensor(labels)
    shape = tuple(labels.shape)
    if len(shape) == 2 and shape[-1] == classes:
        shares = ops.cast(labels, "float32")
        return shares, ops.cast(ops.min(shares, axis=-1) >= 0, "float32")
    if len(shape) == 1 or (len(shape) == 2 and shape[-1] == 1):
        index = ops.cast(ops.reshape(labels, (-1,)), "int32")
        return ops.one_hot(index, classes), ops.cast(index >= 0, "float32")
    raise InputError(f"Expected labels of shape (batch,) or (batch, {classes}). Received: labels of shape {shape}")


@keras.saving.register_keras_serializable("distiller")
class Virtual(Objective):
    """The class of `virtual`: an objective that asks the labels, and no teacher.

    >>> import keras
    >>> from distiller.teachers import Virtual
    >>> import numpy as np
    >>> from distiller import Distiller
    >>> student = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> distiller = Distiller(
    ...     student=student,
    ...     objectives={"virtual": Virtual(correct=0.99)},
    ...     weights={"labels": 0.9, "virtual": 0.1},
    ... )
    >>> distiller.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> sorted(distiller.fit(np.ones((4, 2)), np.array([0, 1, 2, -1]), verbose=0).history)
    ['labels', 'loss', 'virtual']
    """

    source = "Yuan et al. 2020, 1909.11723"
    needs_teacher = False
    softmax = True

    def __init__(self, correct: float = 0.99, *, temperature: float = 20.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.correct = positive("correct", correct)
        self.temperature = positive("temperature", temperature)

    def call(self, teacher: Any, student: Any, labels: Any = None) -> Any:
        """One loss per sample, float32 (batch,); `teacher` does not matter."""
        return virtual(student, labels, self.correct, self.temperature)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "correct": self.correct, "temperature": self.temperature}
