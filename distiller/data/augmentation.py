"""Random views of images that can be drawn again.

What is random in a view depends on (seed, pass over the data, sample) alone, through a counter-based generator
(Salmon et al. 2011, Philox): not on the batch, the order, the number of workers or the backend. A teacher's answer to
a view can therefore be stored, and belongs to exactly the view that a student sees later.
"""

from dataclasses import dataclass

import numpy as np

from distiller.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """Shift by up to `crop` pixels with zero padding, and mirror left to right with `flip`.

    >>> from distiller.data import Augmentation
    >>> Augmentation(crop=4, flip=True)
    Augmentation(crop=4, flip=True)
    """

    crop: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise InputError(f"Invalid value for `crop`. Expected 0 or more pixels. Received: crop={self.crop}")

    def draws(self, seed: int, turn: int, samples: int) -> np.ndarray:
        """Uniform numbers (samples, 3): the rows of pass `turn` over the data; row i depends on i alone."""
        key = np.array([seed, turn], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).random((samples, 3), dtype=np.float32)

    def __call__(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Views of `images` (n, h, w, c), as `draws` (n, 3) say; of the same shape and dtype."""
        if self.crop:
            images = _shift(images, self.crop, draws[:, 0], draws[:, 1])
        if self.flip:
            mirrored = (draws[:, 2] < 0.5)[:, None, None, None]
            images = np.where(mirrored, images[:, :, ::-1], images)
        return images


def _shift(images: np.ndarray, pad: int, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    rows, columns = (np.minimum((u * (2 * pad + 1)).astype(int), 2 * pad) for u in (down, right))
    return np.moveaxis(windows[np.arange(len(images)), rows, columns], 1, -1)
