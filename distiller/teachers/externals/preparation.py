"""Pixels as another framework's network takes them: scale and order of the axes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distiller.errors import InputError
from distiller.utils.suggestions import unknown

# Mean and deviation of raw pixels: (pixel − mean) / deviation. Those of ImageNet are torchvision's, times 255.
NAMED: dict[str, tuple[Any, Any]] = {
    "none": (0.0, 1.0),
    "unit": (0.0, 255.0),
    "tf": (127.5, 127.5),
    "torch": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
LAYOUTS = ("nhwc", "nchw")


@dataclass(frozen=True)
class Preparation:
    """(pixel − mean) / std, with the channels last or first.

    `mean` and `std` are one number, or one a channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str = "nhwc"

    @classmethod
    def named(cls, preprocessing: str | Mapping[str, Any], layout: str, channels: int) -> "Preparation":
        """Preparation by a name of `NAMED`, or from {mean, std}.

        Raises:
            InputError: an unknown name, key or layout; numbers that are not one, or one for each channel.
        """
        if layout not in LAYOUTS:
            raise InputError(unknown("layout", layout, LAYOUTS))
        if isinstance(preprocessing, str):
            if preprocessing not in NAMED:
                raise InputError(unknown("preprocessing", preprocessing, NAMED))
            mean, std = NAMED[preprocessing]
        else:
            if set(preprocessing) != {"mean", "std"}:
                raise InputError(
                    f"Expected preprocessing as a name or {{mean, std}}. Received: keys {sorted(preprocessing)}"
                )
            mean, std = preprocessing["mean"], preprocessing["std"]
        means, stds = (tuple(np.atleast_1d(np.asarray(value, "float64")).tolist()) for value in (mean, std))
        if not {len(means), len(stds)} <= {1, channels} or 0 in stds:
            raise InputError(
                f"Expected a mean and a std other than 0, one number or one for each of {channels} channels. "
                f"Received: mean={mean}, std={std}"
            )
        return cls(means, stds, layout)

    @property
    def is_raw(self) -> bool:
        """True if pixels stay what they are."""
        return set(self.mean) == {0.0} and set(self.std) == {1.0}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Float32 images (n, h, w, c) of raw pixels, or (n, c, h, w), as the network takes them."""
        prepared = ((images - np.array(self.mean)) / np.array(self.std)).astype("float32")
        return np.ascontiguousarray(prepared.transpose(0, 3, 1, 2)) if self.layout == "nchw" else prepared
