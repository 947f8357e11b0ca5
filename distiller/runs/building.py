"""Images and untrained networks that a recipe names, and the accuracy of a network on images."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from distiller import bridges, data, models, teachers
from distiller.data import InOrder, Split
from distiller.errors import InputError
from distiller.objectives.table import named
from distiller.recipes.schema import Data, Network, RunRecipe, Teacher
from distiller.recipes.training import Training
from distiller.teachers.externals.sources import open_source

# Validation images on which a frozen teacher is held against the teacher.
FROZEN_CHECK = 512


def check_names(recipe: RunRecipe) -> None:
    """Raise InputError where a recipe names a network, options of one, or an objective that there is not.

    So much can be seen before any image is read, which takes minutes for a folder of photos.
    """
    models.check(recipe.student.name, recipe.student.options)
    if recipe.teacher.train:
        models.check(recipe.teacher.train.model.name, recipe.teacher.train.model.options)
    if recipe.teacher.load:
        models.card(recipe.teacher.load)
    if recipe.teacher.is_external:
        open_source(recipe.teacher.file or recipe.teacher.function)
    for arm in recipe.arms.values():
        for objective in arm.objectives.values():
            if isinstance(name := objective.get("name"), str):
                named(name)


def load_data(section: Data, data_dir: Path | None) -> data.Dataset:
    """The images that a recipe names; where it measures on the validation split, that one is the test split too."""
    # Where a recipe does not say a size, the usual one is told.
    size = section.image_size if "image_size" in section.model_fields_set else None
    dataset = data.load(
        section.name, data_dir=data_dir, validation=section.validation, image_size=size, cache_dir=section.cache_dir
    )
    if section.measured_on == "validation":
        dataset = replace(dataset, test=dataset.validation)
    if section.groups:
        return grouped(dataset, bridges.ClassMap.named(section.groups))
    return dataset.only(section.classes) if section.classes else dataset


def grouped(dataset: data.Dataset, groups: bridges.ClassMap) -> data.Dataset:
    """The images with the labels of the groups that their classes are in; the others are left out."""
    if list(dataset.classes) != list(groups.names or ()):
        raise InputError(
            f"Expected images of the {len(groups.names or ())} classes of the map. Received: {dataset.name}"
        )

    def relabelled(split: Split) -> Split:
        labels = groups.relabel(split.labels)
        return replace(split.take(np.flatnonzero(labels >= 0)), labels=labels[labels >= 0])

    return replace(
        dataset,
        train=relabelled(dataset.train),
        validation=relabelled(dataset.validation),
        test=relabelled(dataset.test),
        classes=tuple(map(str, groups.classes)),
    )


def new_network(
    network: Network, plan: Training, dataset: data.Dataset, image_shape: tuple[int, int, int] | None = None
) -> keras.Model:
    """An untrained network for the classes and images of `dataset`, in the precision of `plan`."""
    shape = image_shape or dataset.image_shape
    return models.build(network.name, len(dataset.classes), shape, dtype=plan.precision, **network.options)


def external_teacher(section: Teacher, dataset: data.Dataset) -> keras.Model:
    """The teacher of another framework that a recipe names, for the images of `dataset`."""
    asked = section.external
    preprocessing = asked.preprocessing if isinstance(asked.preprocessing, str) else asked.preprocessing.model_dump()
    teacher = teachers.external(
        section.file or section.function,
        dataset.image_shape,
        image_size=asked.image_size,
        preprocessing=preprocessing,
        layout=asked.layout,
        features=asked.features,
        probabilities=asked.probabilities,
    )
    if asked.classes is not None and len(asked.classes) != teacher.output_shape[-1]:
        raise InputError(
            f"teacher.external.classes: expected {teacher.output_shape[-1]} names, as many as the teacher has logits. "
            f"Received: {len(asked.classes)}"
        )
    return teacher


def open_teacher(section: Teacher, dataset: data.Dataset) -> keras.Model:
    """The teacher that a recipe names, in its own classes, as students without a bridge learn from it.

    Raises:
        InputError: it is trained first, or its outputs alone are known; or there is none of that name.
    """
    if section.train or section.outputs:
        raise InputError("Expected a teacher that is there: load, file or function. Received: train or outputs")
    if section.is_external:
        return external_teacher(section, dataset)
    network: keras.Model
    if section.load:
        network = models.load(section.load, dtype=models.card(section.load)["recipe"]["training"]["precision"])
    else:
        network = teachers.load(str(section.file))
    if section.image_size is not None and isinstance(network.input_shape, tuple) and len(network.input_shape) == 4:
        network = models.adapted(network, dataset.image_shape)
    return teachers.frozen(network, images=dataset.validation.some(FROZEN_CHECK).images) if section.frozen else network


def only_labelled(split: Split) -> Split:
    """The samples of a split that have a label."""
    return split.take(np.flatnonzero(split.labels != data.UNLABELLED))


def logits(model: keras.Model, split: Split) -> np.ndarray:
    """Logits of a network for every image of a split, (n, classes)."""
    return model.predict(InOrder(split), verbose=0)


def share_right(answers: np.ndarray, split: Split) -> float:
    """The share of a labelled split that logits get right, a fraction."""
    return float((answers.argmax(-1) == split.labels).mean())


def accuracy(model: keras.Model, split: Split) -> float:
    """The share of a labelled split that `model` gets right, a fraction."""
    return share_right(logits(model, split), split)
