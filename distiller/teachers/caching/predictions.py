"""Outputs of a network for the views of a pass over the data, batch by batch."""

from collections.abc import Iterator

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split


def answers(
    network: keras.Model, split: Split, augmentation: Augmentation, seed: int, turn: int, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Answers (n, …) by name to the views of pass `turn`, in the order of the images and in inference mode.

    Args:
        network: returns a dict.
        split: images.
        augmentation: the random views, which depend on `seed`, pass and sample.
        seed: of the views.
        turn: the pass, counted from 0.
        batch_size: images that the network sees at once.
    """
    draws = augmentation.draws(seed, turn, len(split))
    for first in range(0, len(split), batch_size):
        samples = np.arange(first, min(first + batch_size, len(split)))
        # The last batch is filled up, or the network would be compiled once more for its size.
        fed = np.resize(samples, min(batch_size, len(split)))
        found = network.predict_on_batch(augmentation(np.asarray(split.images[fed]), draws[fed]).astype("float32"))
        yield {name: answer[: len(samples)] for name, answer in found.items()}
