"""Networks by name: the zoo's, those of keras.applications and keras-hub, saved ones, and a user's own code."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from distiller.errors import InputError
from distiller.models import keras_applications, keras_hub, zoo
from distiller.models.fusing import fuse
from distiller.networks.internals import names_from_one
from distiller.networks.loading import load_network
from distiller.utils import user_code

_ENDINGS = (".keras", ".h5", ".hdf5")


def check(name: str, options: Mapping[str, Any] | None = None) -> None:
    """Raise InputError where there is no network `name`, or it takes no such options: before any image is read."""
    given = dict(options or {})
    if name.startswith(keras_applications.PREFIX):
        keras_applications.check(name.removeprefix(keras_applications.PREFIX), given)
    elif name.startswith(keras_hub.PREFIX):
        keras_hub.installed()
    elif _is_file(name):
        if given:
            raise InputError(f"Expected no options for a network from a file. Received: {name!r} with {sorted(given)}")
        if not Path(name).exists():
            raise InputError(f"The model file {name!r} does not exist")
        if Path(name).is_dir():  # a SavedModel has operations and no layers: the message says the way out
            load_network(name, role="model")
    elif user_code.names_code(name):
        user_code.load_function(name)
    else:
        zoo.check(name, given)


def build(
    name: str,
    classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    dtype: str = "float32",
    **options: Any,
) -> keras.Model:
    """A network with raw pixels (batch, h, w, c) in [0, 255] in and logits (batch, `classes`) out, in fast kernels.

    Weights come from Keras's global generator: call `keras.utils.set_random_seed` first to repeat a run. Layers without
    a name of their own are called alike in every call: `dense`, `dense_1`.

    Args:
        name: of the zoo (`resnet8`); `keras:NAME` of `keras.applications` (`keras:MobileNetV3Small`, with the option
            `weights` of "imagenet" or "none"); `hub:PRESET` of keras-hub; the path of a `.keras` or `.h5` file, which
            is loaded with its weights; or `file.py:function` or `module:function` of a function that returns the
            network, called with those of `classes` (or `num_classes`), `input_shape`, `dtype` and the options that it
            takes.
        classes: at least two.
        input_shape: height, width and channels.
        dtype: a Keras policy such as "mixed_bfloat16"; a file keeps its own.
        options: of the network; those of the zoo override its table (`width=0.25`).

    Raises:
        InputError: no such network, the message names the nearest; options that it does not take; fewer than two
            classes; a file or a function whose network does not fit the classes or images.
        WorkError: weights that cannot be downloaded; a package that is not installed.

    >>> from distiller import models
    >>> models.build("resnet8", classes=10).output_shape
    (None, 10)
    """
    if classes < 2:
        check(name, options)
        raise InputError(f"Invalid value for `classes`. Expected at least 2. Received: classes={classes}")
    return build_outputs(name, classes, input_shape, dtype=dtype, **options)


def build_outputs(
    name: str,
    outputs: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    dtype: str = "float32",
    **options: Any,
) -> keras.Model:
    """A network as of `build` with any number of `outputs`, one too: labels or numbers in place of classes."""
    check(name, options)
    height, width, channels = input_shape
    with names_from_one():
        return _built(name, outputs, (height, width, channels), dtype, options)


def _built(name: str, classes: int, shape: tuple[int, int, int], dtype: str, options: dict[str, Any]) -> keras.Model:
    if name.startswith(keras_applications.PREFIX):
        plain = name.removeprefix(keras_applications.PREFIX)
        return fuse(keras_applications.build(plain, classes, shape, dtype=dtype, **options))
    if name.startswith(keras_hub.PREFIX):
        return fuse(keras_hub.build(name.removeprefix(keras_hub.PREFIX), classes, shape, dtype=dtype, **options))
    if _is_file(name):
        return fuse(_fitting(load_network(name, role="model"), name, classes, shape))
    if user_code.names_code(name):
        function = user_code.load_function(name)
        given = {"classes": classes, "input_shape": shape, "dtype": dtype}
        if "num_classes" in inspect.signature(function).parameters:  # as Keras and torch often call it
            given["num_classes"] = classes
        made = user_code.call_with(function, name, **given, **options)
        return fuse(_fitting(made, name, classes, shape))
    return zoo.build(name, classes, shape, dtype=dtype, **options)


def files_of(name: str) -> list[str]:
    """Paths of the files that a name stands for: of a saved network, or of Python code."""
    if name.startswith((keras_applications.PREFIX, keras_hub.PREFIX)):
        return []
    if _is_file(name):
        return [name]
    code = user_code.file_of(name) if user_code.names_code(name) else None
    return [] if code is None else [str(code)]


def _is_file(name: str) -> bool:
    return name.lower().endswith(_ENDINGS) or (Path(name) / "saved_model.pb").is_file()


def _fitting(network: Any, name: str, classes: int, shape: tuple[int, ...]) -> keras.Model:
    """The network, where it is one for so many classes and such images."""
    if not isinstance(network, keras.Model):
        raise InputError(f"Expected a keras.Model from {name!r}. Received: {type(network).__name__}")
    if not network.built:
        network.build((None, *shape))
    taken, left = network.input_shape, network.output_shape
    fits = isinstance(taken, tuple) and len(taken) == len(shape) + 1
    fits = fits and all(size in (None, own) for size, own in zip(taken[1:], shape, strict=True))
    if not fits:
        raise InputError(f"Expected a network for images of shape {shape} from {name!r}. Received: inputs {taken}")
    if not isinstance(left, tuple) or left[-1] != classes:
        raise InputError(f"Expected a network with logits of {classes} classes from {name!r}. Received: outputs {left}")
    return network
