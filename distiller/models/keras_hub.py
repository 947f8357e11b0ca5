"""Backbones of keras-hub presets, with their image scaling inside and a new head."""

import importlib
from typing import Any

import keras
from keras import layers

from distiller.errors import InputError, WorkError
from distiller.models.moving_statistics import limit_momentum

PREFIX = "hub:"


def build(preset: str, classes: int, input_shape: tuple[int, int, int], *, dtype: str, **options: Any) -> keras.Model:
    """The backbone of a preset with raw pixels (batch, h, w, 3) in [0, 255] in and logits (batch, classes) out.

    A task of keras-hub scales images in `predict` and not when it is called; here the scale and offset of the preset's
    image converter are a layer of the network, and images have the size that is asked for and are not resized.

    Args:
        preset: as `keras_hub.models.Backbone.from_preset` takes it, such as "mobilenet_v3_small_100_imagenet".
        classes: of the new head.
        input_shape: height, width and 3 channels of the images.
        dtype: a Keras policy.
        options: `weights`, "imagenet" (the preset's own, the default) or "none".

    Raises:
        InputError: unknown options; images that are not of three channels; a preset that is no backbone of images.
        WorkError: keras-hub is not installed, or the preset cannot be had.
    """
    if (others := sorted(set(options) - {"weights"})) or options.get("weights") not in (None, "none", "imagenet"):
        raise InputError(
            f"Expected the option weights of imagenet or none for {PREFIX + preset!r}. Received: {others or options}"
        )
    if input_shape[-1] != 3:
        raise InputError(f"Expected images of three channels for {PREFIX + preset!r}. Received: {input_shape}")
    hub = installed()
    try:
        backbone = hub.models.Backbone.from_preset(
            preset, load_weights=options.get("weights") != "none", image_shape=input_shape, dtype=dtype
        )
        converter = hub.layers.ImageConverter.from_preset(preset)
    except Exception as error:
        raise WorkError(f"The preset {preset!r} of keras-hub cannot be had: {type(error).__name__}: {error}") from error
    limit_momentum(backbone, trained=options.get("weights") != "none")
    inputs = layers.Input(input_shape, name="pixels")
    x = inputs
    scale, offset = (getattr(converter, name, None) for name in ("scale", "offset"))
    if scale is not None or offset is not None:
        policy = "float32" if dtype.startswith("mixed") else dtype
        x = layers.Rescaling(1.0 if scale is None else scale, offset=offset or 0.0, dtype=policy, name="scale")(x)
    features = backbone(x)
    if isinstance(features, dict) or len(features.shape) != 4:
        raise InputError(
            f"Expected a preset whose backbone makes one map of features. Received: {PREFIX + preset!r} with "
            f"{sorted(features) if isinstance(features, dict) else features.shape}"
        )
    pooled = layers.GlobalAveragePooling2D(name="features")(features)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(pooled), name=_plain(preset))


def installed() -> Any:
    """The package keras-hub; WorkError where it is not installed."""
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        raise WorkError(
            "Networks named hub:… are presets of keras-hub, which is not installed. Install it: pip install keras-hub"
        ) from error


def _plain(preset: str) -> str:
    """A name for layers and files."""
    return "".join(letter if letter.isalnum() else "_" for letter in preset)
