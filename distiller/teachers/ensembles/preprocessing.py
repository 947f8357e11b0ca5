"""Between the student's images and a teacher that takes others."""

from collections.abc import Sequence

import keras

from distiller.errors import InputError
from distiller.networks.adapting import AdaptImages


def prepared(images: keras.KerasTensor, preprocessing: keras.Layer | None, number: int) -> keras.KerasTensor:
    """The images as `preprocessing` makes them, resized where it says what it takes; `number` is the member's.

    Raises:
        InputError: it is no layer, or takes images that differ in more than height and width.
    """
    if preprocessing is None:
        return images
    if not isinstance(preprocessing, keras.Layer):
        raise InputError(
            f"Member {number}: expected `preprocessing` to be a Keras layer or model. "
            f"Received: {type(preprocessing).__name__}"
        )
    # In a network of its own, for names of layers are unique in each.
    own = keras.Input(images.shape[1:])
    expected = getattr(preprocessing, "inputs", None)
    fed = resized(own, expected[0].shape, number) if expected else own
    return keras.Model(own, preprocessing(fed), name=f"preprocessing{number}")(images)


def resized(images: keras.KerasTensor, shape: Sequence[int | None], number: int) -> keras.KerasTensor:
    """Images of `shape`, resized in height and width where these differ; `number` is the member's.

    Raises:
        InputError: something else differs.
    """
    found, wanted = tuple(images.shape[1:]), tuple(shape[1:])
    if _fits(found, wanted):
        return images
    if not (len(found) == len(wanted) == 3 and _fits(found[2:], wanted[2:]) and None not in wanted[:2]):
        raise InputError(
            f"Member {number} takes inputs of shape {wanted} and is shown {found}. Only height and width are resized: "
            "pass a `preprocessing` for the rest"
        )
    return AdaptImages(*wanted[:2], None, name=f"resizing{number}")(images)


def _fits(found: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted, strict=True))
