"""Subclassed models, whose layers form no graph: they name their features themselves."""

from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.internals import flatten_layers
from distiller.networks.masks import MaskOf, with_mask
from distiller.networks.overridden import check_no_preprocessor


def is_subclassed(model: Any) -> bool:
    """True where `model` is a Keras model whose layers form no graph."""
    return isinstance(model, keras.Model) and not getattr(model, "inputs", None)


def functional(model: keras.Model, *, role: str) -> keras.Model:
    """`model` itself, or a functional network of one layer around a subclassed one, which shares its weights.

    Raises:
        InputError: `model` is subclassed and was not built by a call on one tensor.
    """
    if not is_subclassed(model):
        return model
    inputs, answers = _symbols(model, role)
    return keras.Model(inputs, answers["logits"], name=model.name)


def with_features(model: keras.Model, *, role: str) -> keras.Model:
    """A functional network around a subclassed one that returns the dict of its `named_features`, with "logits".

    Where a mask reaches the logits, it is there as `MASK`.

    Raises:
        InputError: `model` was not built by a call on one tensor, or its `named_features` returns something else.
    """
    inputs, answers = _symbols(model, role)
    return keras.Model(inputs, answers, name=model.name)


def check_ready(model: Any, role: str) -> None:
    """Raise InputError for a Sequential model without the shape of its input, or a network with a preprocessor."""
    check_no_preprocessor(model, role)
    if isinstance(model, keras.Sequential) and not model.built:
        raise InputError(
            f"Expected the {role} to be built. Received: a Sequential model that does not know its input: put "
            "keras.Input(shape) before its layers, or call model.build((None, *shape)) first"
        )


def _symbols(model: keras.Model, role: str) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    check_ready(model, role)
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if not isinstance(shape, tuple | list):
        raise InputError(
            f"Expected the {role} to be functional, Sequential, or built by a call on one tensor. "
            f"Received: {type(model).__name__}, which is not"
        )
    embeds = any(isinstance(layer, keras.layers.Embedding) for layer in flatten_layers(model))
    if embeds and model.compute_dtype != "float32":
        raise InputError(
            f"Expected the {role} to be functional, or in float32: {model.compute_dtype} does not hold every index of "
            f"an Embedding. Received: {type(model).__name__}, which is subclassed"
        )
    inputs = keras.Input(tuple(shape)[1:])
    return inputs, _Features(model)(inputs)


@keras.saving.register_keras_serializable("distiller")
class _Features(keras.layers.Layer):
    """A subclassed model as a layer: the dict of its own `named_features`, or of its logits alone."""

    def __init__(self, model: keras.Model, **kwargs: Any):
        super().__init__(**{"dtype": model.dtype_policy, **kwargs})
        self.model = model
        self.mask_of = MaskOf()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not hasattr(self.model, "named_features"):
            return with_mask({"logits": self.model(inputs, training=training)}, "logits", self.mask_of)
        answers = self.model.named_features(inputs, training=training)
        if not isinstance(answers, dict) or "logits" not in answers:
            raise InputError(
                f"Expected {type(self.model).__name__}.named_features to return a dict with 'logits'. "
                f"Received: {sorted(answers) if isinstance(answers, dict) else type(answers).__name__}"
            )
        return with_mask(answers, "logits", self.mask_of)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_Features":
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})
