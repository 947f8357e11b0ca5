"""The budget of a training where nothing is said of it: from the number of images.

The benchmarks measure it on three small sets of photos (`benchmarks.small_photos`).
"""

from typing import Any

# Steps that a small student takes at the least to learn what a few hundred images have to say, and passes of any set.
_STEPS, _EPOCHS = 600, 30
# Steps of a pass, where the batches can be small enough.
_STEPS_A_PASS, _SMALLEST, _LARGEST = 12, 16, 128
# Highest rate of the largest batches; it falls in proportion to smaller ones.
_RATES = {"sgd": 0.1, "adamw": 0.001}
# Decoupled weight decay with AdamW, as pretrained networks are fine-tuned with it.
DECAY_OF_ADAMW = 0.05


# Weights of the hard labels, and of each objective beside them.
LABELS, SOFT = 0.1, 0.9


def training(
    images: int,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    optimizer: str = "sgd",
) -> dict[str, Any]:
    """Epochs, batch size and highest learning rate for so many training images; what is given stays.

    Batches are of 16 to 128 images, a power of two, so that a pass has a dozen of them. There are thirty passes, or as
    many as make 600 steps. The rate is in proportion to the batch size (Goyal et al. 2017, 1706.02677).

    >>> from distiller.runs import defaults
    >>> defaults.training(450)
    {'epochs': 43, 'batch_size': 32, 'learning_rate': 0.025}
    >>> defaults.training(45_000)
    {'epochs': 30, 'batch_size': 128, 'learning_rate': 0.1}
    """
    if batch_size is None:
        batch_size = _SMALLEST
        while batch_size < _LARGEST and images >= 2 * batch_size * _STEPS_A_PASS:
            batch_size *= 2
    steps = max(1, images // batch_size)
    return {
        "epochs": epochs or max(_EPOCHS, -(-_STEPS // steps)),
        "batch_size": batch_size,
        "learning_rate": learning_rate or _RATES[optimizer] * min(1.0, batch_size / _LARGEST),
    }
