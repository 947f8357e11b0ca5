"""Labels of other tasks derived from labelled images at hand: for examples and tests, not for claims."""

from collections.abc import Callable, Sequence

import numpy as np

from distiller.data.splits import Split
from distiller.errors import InputError

# Properties of a digit that are true of several, and each with others.
_PROPERTIES = {"even": "02468", "prime": "2357", "above_four": "56789", "has_a_loop": "0689"}
# Pixels of a digit's strokes; the others are background.
_STROKE = 127
_MOST_DEGREES = 45.0


def superclass(split: Split, classes: Sequence[str]) -> tuple[Split, tuple[str, ...]]:
    """Each image of CIFAR-100 has two labels: its class and the group of it, of 120 in all."""
    from distiller.bridges.class_map import ClassMap

    groups = ClassMap.named("cifar100_coarse")
    if list(classes) != list(groups.names or ()):
        raise InputError("data.derive superclass: expected the data set cifar100")
    coarse = groups.relabel(split.labels)
    names = (*classes, *(f"group {name}" for name in groups.classes))
    labels = np.zeros((len(split), len(names)), "float32")
    rows = np.arange(len(split))
    labels[rows, split.labels] = labels[rows, len(classes) + coarse] = 1
    return Split(split.images, labels, split.names), names


def properties(split: Split, classes: Sequence[str]) -> tuple[Split, tuple[str, ...]]:
    """Four labels of a digit, any number at once: even, prime, above four, has a loop."""
    if not set(classes) <= set("0123456789"):
        raise InputError("data.derive properties: expected the data set digits")
    table = np.array([[name in of for of in _PROPERTIES.values()] for name in classes], "float32")
    return Split(split.images, table[split.labels], split.names), tuple(_PROPERTIES)


def rotation(split: Split, classes: Sequence[str]) -> tuple[Split, tuple[str, ...]]:
    """Each image is turned by an angle drawn for its place, and that angle, −1 for −45° to 1 for 45°, is the number."""
    from PIL import Image

    angles = np.random.Generator(np.random.Philox(key=[len(split), 45])).uniform(-1, 1, len(split)).astype("float32")
    turned = np.empty_like(split.images)
    for i, (image, angle) in enumerate(zip(split.images, angles.tolist(), strict=True)):
        grey = image.shape[-1] == 1
        picture = Image.fromarray(image[..., 0] if grey else image)
        pixels = np.asarray(picture.rotate(angle * _MOST_DEGREES, Image.Resampling.BILINEAR))
        turned[i] = pixels[..., None] if grey else pixels
    return Split(turned, angles[:, None], split.names), ("angle",)


def strokes(split: Split, classes: Sequence[str]) -> tuple[Split, tuple[str, ...]]:
    """Each bright pixel of a grey image has the image's class, all others are background, class 0."""
    if split.images.shape[-1] != 1:
        raise InputError("data.derive strokes: expected grey images, such as those of digits")
    masks = np.where(split.images[..., 0] > _STROKE, split.labels[:, None, None] + 1, 0)
    return Split(split.images, masks.astype("int32"), split.names), ("background", *classes)


# Name → task of what is derived, and the function.
DERIVED: dict[str, tuple[str, Callable[[Split, Sequence[str]], tuple[Split, tuple[str, ...]]]]] = {
    "superclass": ("multi_label", superclass),
    "properties": ("multi_label", properties),
    "rotation": ("regression", rotation),
    "strokes": ("segmentation", strokes),
}
