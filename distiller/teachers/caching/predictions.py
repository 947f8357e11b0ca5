"""Outputs of a network for the views of a pass over the data, batch by batch."""

from collections.abc import Iterator

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split


def answers(
    network: keras.Model, split: Split, augmentation: Augmentation, draws: np.ndarray, span: range, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Answers (n, …) by name to views of the images `span`, in their order and in inference mode.

    Args:
        network: returns a dict.
        split: images.
        augmentation: the random views.
        draws: what they draw for every image of the split, `augmentation.draws(seed, pass, len(split))`.
        span: which images.
        batch_size: images that the network sees at once.
    """
    for first in range(span.start, span.stop, batch_size):
        samples = np.arange(first, min(first + batch_size, span.stop))
        # The last batch is filled up, or the network would be compiled once more for its size.
        fed = np.resize(samples, min(batch_size, len(split)))
        found = network.predict_on_batch(augmentation(np.asarray(split.images[fed]), draws[fed]).astype("float32"))
        yield {name: answer[: len(samples)] for name, answer in found.items()}
