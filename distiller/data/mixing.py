"""Mixed images with mixed labels, that can be drawn again.

What is random in a batch depends on (seed, step, samples in the batch) alone, through a counter-based generator
(Salmon et al. 2011, Philox). A resumed run, and a teacher whose answers are stored, see the same mixtures.
"""

from dataclasses import dataclass

import numpy as np

from distiller.errors import InputError


@dataclass(frozen=True)
class Draws:
    """Random draws for one batch.

    Attributes:
        shares: wanted share of each sample's own image, float32 (n,), 0 … 1.
        partners: place in the batch of the sample it is mixed with, (n,).
        centres: row and column of the middle of a patch, as a share of height and width, float32 (n, 2), 0 … 1.
    """

    shares: np.ndarray
    partners: np.ndarray
    centres: np.ndarray


@dataclass(frozen=True)
class Mixing:
    """Mixes each image of a batch with another of it, by a share from the distribution Beta(alpha, alpha)."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < float("inf"):
            raise InputError(f"Invalid value for `alpha`. Expected a positive number. Received: alpha={self.alpha}")

    def draws(self, seed: int, step: int, samples: int) -> Draws:
        """Random draws for the batch of `step`, counted from the start of the training."""
        # A key that neither the augmentation nor the shuffle has: their second words are the pass, and 2⁶³ and more.
        key = np.array([seed, 2**62 + step], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        partners = generator.permutation(samples)
        centres = generator.random((samples, 2), dtype=np.float32)
        return Draws(generator.beta(self.alpha, self.alpha, samples).astype(np.float32), partners, centres)

    def __call__(
        self, images: np.ndarray, labels: np.ndarray, draws: Draws, classes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mixed images (n, h, w, c) and labels float32 (n, classes).

        Args:
            images: (n, h, w, c), of any real dtype.
            labels: integers (n,), 0 … classes − 1; −1 marks an unlabelled sample.
            draws: of this batch.
            classes: their number.

        Raises:
            InputError: numbers of images, labels and draws differ, or a label is out of range.
        """
        if not len(images) == len(labels) == len(draws.partners):
            raise InputError(
                "Expected as many labels and draws as images. "
                f"Received: {len(images)} images, {len(labels)} labels, {len(draws.partners)} draws"
            )
        images, shares = self.mix(images, draws)
        return images, soft_labels(labels, draws.partners, shares, classes)

    def mix(self, images: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Mixed images, and the share that each sample's own image has in its mixture, float32 (n,)."""
        raise TypeError(f"{type(self).__name__} does not implement mix(images, draws)")


@dataclass(frozen=True)
class MixUp(Mixing):
    """share · image + (1 − share) · other image, and the same of the labels: Zhang et al. 2017, 1710.09412, section 2.

    The images become float32. Zhang et al. use alpha 1 for CIFAR and 0.2 for ImageNet.

    >>> import numpy as np
    >>> from distiller.data import MixUp
    >>> from distiller.data.mixing import Draws
    >>> mixing = MixUp(alpha=1.0)
    >>> draws = Draws(np.float32([0.75, 1.0]), np.array([1, 0]), np.zeros((2, 2)))
    >>> mixing(np.zeros((2, 4, 4, 1)), np.array([0, 1]), draws, classes=2)[1]
    array([[0.75, 0.25],
           [0.  , 1.  ]], dtype=float32)
    """

    def mix(self, images: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Weighted means of two images."""
        images = images.astype(np.float32)
        share = draws.shares.astype(np.float32)[:, None, None, None]
        return share * images + (1 - share) * images[draws.partners], draws.shares.astype(np.float32)


@dataclass(frozen=True)
class CutMix(Mixing):
    """A patch of another image in each: Yun et al. 2019, 1905.04899, section 3.1.

    The patch has √(1 − share) of height and width about a middle that may be anywhere, and is cut at the border; the
    labels are mixed as the pixels then are. Yun et al. use alpha 1.

    >>> import numpy as np
    >>> from distiller.data import CutMix
    >>> from distiller.data.mixing import Draws
    >>> draws = Draws(np.float32([0.75]), np.array([0]), np.float32([[0.5, 0.5]]))
    >>> CutMix().mix(np.zeros((1, 4, 4, 1), "uint8"), draws)[1]
    array([0.75], dtype=float32)
    """

    def mix(self, images: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Images with patches, of the same dtype."""
        height, width = images.shape[1:3]
        side = np.sqrt(1 - draws.shares.astype(np.float64))
        rows = _between(height, side, draws.centres[:, 0])
        columns = _between(width, side, draws.centres[:, 1])
        patch = rows[:, :, None] & columns[:, None, :]
        shares = 1 - patch.sum(axis=(1, 2)) / (height * width)
        return np.where(patch[..., None], images[draws.partners], images), shares.astype(np.float32)


def _between(size: int, side: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Mask of the pixels of a row of `size` that lie in a patch, bool (n, size)."""
    long = (size * side).astype(int)
    first = np.minimum((centre * size).astype(int), size - 1) - long // 2
    pixels = np.arange(size)
    return (pixels >= first[:, None]) & (pixels < (first + long)[:, None])


def soft_labels(labels: np.ndarray, partners: np.ndarray, shares: np.ndarray, classes: int) -> np.ndarray:
    """share · label + (1 − share) · partner's label, float32 (n, classes).

    A row is −1 throughout where a label that has a share in it is unknown.

    >>> soft_labels(np.array([1, -1]), np.array([1, 0]), np.float32([1.0, 0.5]), 2)
    array([[ 0.,  1.],
           [-1., -1.]], dtype=float32)
    """
    rows = one_hot(labels, classes)
    share = shares.astype(np.float32)[:, None]
    mixed = share * rows + (1 - share) * rows[partners]
    unknown = rows[:, 0] < 0
    unknown = (unknown & (shares > 0)) | (unknown[partners] & (shares < 1))
    return np.where(unknown[:, None], np.float32(-1), mixed)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Integer labels as probabilities, float32 (n, classes); a row is −1 throughout where the label is −1.

    Raises:
        InputError: the labels are not of shape (n,), or one is no class.

    >>> one_hot(np.array([1, -1]), 2)
    array([[ 0.,  1.],
           [-1., -1.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or (len(labels) and not -1 <= labels.min() <= labels.max() < classes):
        raise InputError(
            f"Expected integer labels (n,) of −1 … {classes - 1}. "
            f"Received: shape {labels.shape}, {labels.min(initial=0)} … {labels.max(initial=0)}"
        )
    return np.concatenate([np.eye(classes), np.full((1, classes), -1)]).astype("float32")[labels]
