"""EfficientNet-Lite in NumPy and float64, straight from the tensors of a PyTorch file, written from the paper.

Tan & Le 2019, 1905.11946, table 1, without squeeze-and-excitation and with ReLU6; images as (n, h, w, c).
"""

import numpy as np

# Kernel and stride of each unit of EfficientNet-Lite0.
UNITS = [
    (3, 1),
    *[(3, 2), (3, 1)],
    *[(5, 2), (5, 1)],
    *[(3, 2), (3, 1), (3, 1)],
    *[(5, 1)] * 3,
    *[(5, 2), *[(5, 1)] * 3],
]
UNITS += [(3, 1)]


def windows(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Patches (n, h', w', c, kernel, kernel) with zeros around, one more below and to the right where it is odd."""
    margins = []
    for size in x.shape[1:3]:
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        margins.append((missing // 2, missing - missing // 2))
    padded = np.pad(x, ((0, 0), *margins, (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def forward(t: dict[str, np.ndarray], pixels: np.ndarray, epsilon: float = 1e-3) -> dict[str, np.ndarray]:
    """Feature maps after each unit, by its number, and `logits`."""
    t = {name: tensor.astype("float64") for name, tensor in t.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = (x - t[f"{name}.running_mean"]) / np.sqrt(t[f"{name}.running_var"] + epsilon)
        return centred * t[f"{name}.weight"] + t[f"{name}.bias"]

    def relu6(x: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(x, 0), 6)

    def pointwise(x: np.ndarray, name: str) -> np.ndarray:
        return x @ t[f"{name}.weight"][:, :, 0, 0].T

    x = windows((pixels.astype("float64") - 127) / 128, 3, 2)
    x = np.einsum("nhwcij,ocij->nhwo", x, t["_conv_stem.weight"])
    x = relu6(norm(x, "_bn0"))
    found = {}
    for number, (kernel, stride) in enumerate(UNITS):
        name, h = f"_blocks.{number}", x
        if number:
            h = relu6(norm(pointwise(h, f"{name}._expand_conv"), f"{name}._bn0"))
        depthwise = t[f"{name}._depthwise_conv.weight"][:, 0]
        h = np.einsum("nhwcij,cij->nhwc", windows(h, kernel, stride), depthwise)
        h = norm(pointwise(relu6(norm(h, f"{name}._bn1")), f"{name}._project_conv"), f"{name}._bn2")
        x = x + h if h.shape == x.shape else h
        found[str(number)] = x
    x = relu6(norm(pointwise(x, "_conv_head"), "_bn1"))
    found["logits"] = x.mean((1, 2)) @ t["_fc.weight"].T + t["_fc.bias"]
    return found
