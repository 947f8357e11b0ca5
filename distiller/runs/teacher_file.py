"""The teacher as an integer file, beside which those of its students stand in the table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from distiller.data import Dataset
from distiller.runs import student_file


def write(
    teacher: keras.Model, dataset: Dataset, folder: Path, schemes: Sequence[str], calibration: int
) -> dict[str, Any]:
    """Write `teacher-SCHEME.tflite`, int8 where that is among `schemes`; returns what it is, or why there is none.

    A teacher need not be made for phones: a failed conversion is reported and does not end the run.
    """
    scheme = "int8" if "int8" in schemes else schemes[0]
    path = folder / f"teacher-{scheme}.tflite"
    try:
        network, images = _of_one_size(teacher, dataset.image_shape), dataset.train.some(calibration)
        made = student_file.write(network, path, scheme, images, dataset.classes)
    except Exception as error:  # a network from elsewhere may raise anything in the converter
        return {"refused": f"There is no {scheme} file of the teacher: {str(error).splitlines()[0][:300]}"}
    return {"scheme": scheme, "file": path.name, "bytes": made.bytes}


def test(teacher: keras.Model, dataset: Dataset, path: Path) -> dict[str, Any]:
    """Accuracy of the file on the test split, and how it agrees with the teacher."""
    return student_file.check(_of_one_size(teacher, dataset.image_shape), path, dataset.test)


def _of_one_size(teacher: keras.Model, image_shape: tuple[int, int, int]) -> keras.Model:
    """The teacher for images of this shape, where it leaves their size open."""
    if None not in teacher.inputs[0].shape[1:]:
        return teacher
    inputs = keras.Input(image_shape, name="pixels")
    return keras.Model(inputs, teacher(inputs))
