"""Random views of images that can be drawn again.

What is random in a view depends on (seed, pass over the data, sample) alone, through a counter-based generator
(Salmon et al. 2011, Philox): not on the batch, the order, the number of workers or the backend. A teacher's answer to
a view can therefore be stored, and belongs to exactly the view that a student sees later.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distiller.data.keras_layers import KerasViews
from distiller.errors import InputError

# The first three numbers of a view are for the shift and the mirror, whatever layers come after them.
_SHIFT_AND_MIRROR = 3
# A key that neither the shuffle nor mixtures nor the shift have: their second words are 2⁶³, 2⁶² and 0 and more.
_KEY_OF_LAYERS = 2**61


@dataclass(frozen=True, repr=False)
class Augmentation:
    """Shift by up to `crop` pixels with zero padding, mirror left to right with `flip`, then layers of Keras.

    Args:
        crop: pixels.
        flip: whether half of the views are mirrored.
        layers: `keras.layers.Random…`, `RandAugment`, `AugMix` and the like: one, a `keras.Sequential`, a sequence of
            them or of their names with arguments, as `distiller.data.keras_layers.KerasViews` takes them. What they
            draw comes from the same keys; a `seed` of their own does not count.

    Raises:
        InputError: an impossible number or layer.

    >>> import numpy as np
    >>> from distiller.data import Augmentation
    >>> Augmentation(crop=4, flip=True)
    Augmentation(crop=4, flip=True)
    >>> views = Augmentation(layers=[{"name": "RandomRotation", "factor": 0.1}])
    >>> images = np.zeros((2, 8, 8, 3), "uint8")
    >>> views(images, views.draws(seed=0, turn=0, samples=2)).shape
    (2, 8, 8, 3)
    """

    crop: int = 0
    flip: bool = False
    layers: Any = field(default=None, repr=False)  # of which a subclass's `repr` knows nothing

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise InputError(f"Invalid value for `crop`. Expected 0 or more pixels. Received: crop={self.crop}")
        views = self.layers
        if views is not None and not isinstance(views, KerasViews):
            views = KerasViews(views)
        object.__setattr__(self, "layers", views if views is not None and views.layers else None)

    def __repr__(self) -> str:
        # Caches are known by it: without layers it is what it was before there were any.
        more = f", layers={self.layers!r}" if self.layers else ""
        return f"{type(self).__name__}(crop={self.crop!r}, flip={self.flip!r}{more})"

    def draws(self, seed: int, turn: int, samples: int) -> np.ndarray:
        """Random numbers of the views of pass `turn` over the data, (samples, 3 and more); row i depends on i alone.

        The first three of a row are uniform between 0 and 1, the others, float64, whole numbers for the layers.
        """
        key = np.array([seed, turn], np.uint64)
        uniform = np.random.Generator(np.random.Philox(key=key)).random((samples, _SHIFT_AND_MIRROR), dtype=np.float32)
        if not self.layers:
            return uniform
        key = np.array([seed, _KEY_OF_LAYERS + turn], np.uint64)
        words = np.random.Generator(np.random.Philox(key=key)).integers(0, 2**31, (samples, self.layers.words()))
        return np.concatenate([uniform.astype("float64"), words], axis=1)

    def __call__(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Views of `images` (n, h, w, c), as `draws` say; of the same shape, and without layers of the same dtype."""
        images = self._shifted_and_mirrored(images, draws, 0)
        return self.layers(images, draws[:, _SHIFT_AND_MIRROR:])[0] if self.layers else images

    def with_masks(self, images: np.ndarray, masks: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of `images`, as a call gives them, and of the class of each of their pixels, which moves with them.

        Args:
            images: (n, h, w, c).
            masks: whole numbers (n, h, w) from −1, which says that no class is known: also of pixels from outside.
            draws: as `draws` gives them.
        """
        images = self._shifted_and_mirrored(images, draws, 0)
        masks = self._shifted_and_mirrored(masks[..., None], draws, -1)[..., 0]
        if self.layers:
            images, masks = self.layers(images, draws[:, _SHIFT_AND_MIRROR:], masks)
        return images, masks

    def _shifted_and_mirrored(self, images: np.ndarray, draws: np.ndarray, outside: int) -> np.ndarray:
        if self.crop:
            images = _shift(images, self.crop, draws[:, 0], draws[:, 1], outside)
        if self.flip:
            mirrored = draws[:, 2] < 0.5
            images = images if self.crop else images.copy()
            images[mirrored] = images[mirrored, :, ::-1]
        return images


def _shift(images: np.ndarray, pad: int, down: np.ndarray, right: np.ndarray, outside: int) -> np.ndarray:
    height, width = images.shape[1:3]
    moved = np.full_like(images, outside)
    rows, columns = (np.minimum((u * (2 * pad + 1)).astype(int), 2 * pad) - pad for u in (down, right))
    # Slices of one image after another: an index of all copies every pixel by itself.
    for view, image, y, x in zip(moved, images, rows.tolist(), columns.tolist(), strict=True):
        part = image[max(0, y) : max(0, height + y), max(0, x) : max(0, width + x)]
        top, left = max(0, -y), max(0, -x)
        view[top : top + part.shape[0], left : left + part.shape[1]] = part
    return moved
