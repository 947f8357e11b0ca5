"""Arrays as text, for a configuration."""

import base64
import io

import numpy as np


def packed(arrays: dict[int, np.ndarray]) -> str:
    """Compressed arrays: kernels with many zeros or few distinct numbers take a few bits a number."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{str(place): array for place, array in arrays.items()})  # type: ignore[arg-type]
    return base64.b64encode(buffer.getvalue()).decode()


def unpacked(text: str) -> dict[int, np.ndarray]:
    """Undo `packed`."""
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as arrays:
        return {int(place): arrays[place] for place in arrays.files}
