"""Hard labels that a teacher gives to images without one."""

from dataclasses import replace

import keras
import numpy as np

from distiller.data import UNLABELLED, Split
from distiller.runs.building import logits


def with_pseudo_labels(images: Split, teacher: keras.Model) -> Split:
    """The images, those without a label with the class that `teacher` finds most likely; the others keep theirs.

    The teacher sees the images as they are, without augmentation (Lee 2013, "Pseudo-Label", equation 14, from a teacher
    in place of the student itself).
    """
    without = np.flatnonzero(images.labels == UNLABELLED)
    if not len(without):
        return images
    labels = images.labels.copy()
    labels[without] = logits(teacher, images.take(without)).argmax(-1)
    return replace(images, labels=labels)
