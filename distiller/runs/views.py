"""Images at the size of the views, and the same as the student gets them."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from distiller import data
from distiller.data import Split
from distiller.networks.adapting import AdaptImages
from distiller.recipes.schema import Data, RunRecipe
from distiller.runs.building import load_data

# Images that are adapted at a time.
_AT_ONCE = 256


def views_section(recipe: RunRecipe) -> Data:
    """The images of a recipe at the size at which its views are drawn: of photos, the larger of teacher and student."""
    wanted = recipe.teacher.image_size or recipe.teacher.external.image_size
    if wanted is None or not data.can_resize(recipe.data.name):
        return recipe.data
    wanted = (wanted, wanted) if isinstance(wanted, int) else wanted
    height, width = (max(pair) for pair in zip(wanted, recipe.data.image_size, strict=True))
    return recipe.data.model_copy(update={"image_size": (height, width)})


def load_views(recipe: RunRecipe, data_dir: Path | None) -> data.Dataset:
    """The images of a recipe, as its views are drawn of them."""
    return load_data(views_section(recipe), data_dir)


def as_student(dataset: data.Dataset, recipe: RunRecipe) -> data.Dataset:
    """The images as the student gets them, uint8: its size, and grey where it is grey."""
    height, width, channels = student_shape(dataset, recipe)
    if (height, width, channels) == dataset.image_shape:
        return dataset
    layer = AdaptImages(height, width, channels)

    def adapted(split: Split) -> Split:
        images = np.empty((len(split), height, width, channels), "uint8")
        for first in range(0, len(split), _AT_ONCE):
            block = keras.ops.convert_to_numpy(layer(split.images[first : first + _AT_ONCE]))
            images[first : first + _AT_ONCE] = np.clip(np.rint(block), 0, 255)
        return replace(split, images=images)

    return replace(
        dataset, train=adapted(dataset.train), validation=adapted(dataset.validation), test=adapted(dataset.test)
    )


def student_shape(dataset: data.Dataset, recipe: RunRecipe) -> tuple[int, int, int]:
    """Height, width and channels of the student's images."""
    height, width, channels = dataset.image_shape
    if views_section(recipe) != recipe.data:
        height, width = recipe.data.image_size
    return height, width, 1 if recipe.student.colours == "grey" else channels
