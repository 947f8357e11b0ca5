"""Networks whose own methods answer otherwise than their layers, which are what teaches and is taught."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError

_PREDICTING = ("predict", "predict_on_batch", "predict_step", "make_predict_function")
_WAY_OUT = (
    "Put what it does into the network, for example keras.Model(inputs, network(keras.layers.Rescaling(1 / 255)"
    "(inputs))); or wrap it as it is, keras.Model(inputs, network(inputs)), where the call is right"
)


def check_no_preprocessor(model: Any, role: str) -> None:
    """Raise InputError for a network that preprocesses what `predict` is given and not what it is called with.

    Those of keras-hub have a `preprocessor`; without one, `network.preprocessor = None`, they are as others.
    """
    if not isinstance(model, keras.Model) or getattr(model, "preprocessor", None) is None:
        return
    raise InputError(
        f"The {role} {model.name!r} has a preprocessor, {type(model.preprocessor).__name__}, that its `predict` "
        "applies and its call does not: it would see other numbers than it was trained on. Give the training what the "
        "preprocessor returns, as a data set's map(network.preprocessor) does, and take it off: "
        "network.preprocessor = None; or put it into the network as layers"
    )


def check_same_answers(model: keras.Model, role: str, x: Any) -> None:
    """Raise InputError where methods that a network overrides answer otherwise than its layers.

    Nothing is asked of a network that overrides none. Where `predict` does not take these inputs, they are meant for
    the call.

    Args:
        model: the network as it was passed.
        role: "teacher" or "student", for the message.
        x: a few inputs (batch, …).
    """
    methods = list(_overridden(model))
    if not methods:
        return
    whole = keras.Model(model.inputs[0], model.outputs) if isinstance(model, keras.Sequential) else None
    if whole is None and getattr(model, "inputs", None):
        whole = keras.Model(model.input, model.outputs)
    layers = (whole or model)(x, training=False)
    for method in methods:
        values = [(variable, variable.value) for variable in model.variables]
        try:
            answers = model(x, training=False) if method == "call" else _predicted(model, method, x)
        except Exception:  # whatever a method of theirs raises of numbers that are not for it
            if keras.backend.backend() == "jax":  # where a prediction that breaks off has taken the values away
                for variable, value in values:
                    variable.assign(value)
            continue
        if not _same(layers, answers):
            raise InputError(
                f"The {role} {model.name!r} overrides {method!r}, which answers otherwise than its layers, and those "
                f"are what a Distiller compares. {_WAY_OUT}"
            )


def _overridden(model: keras.Model) -> Iterable[str]:
    own = type(model)
    functional = bool(getattr(model, "inputs", None))
    if functional and own.call not in _plain_calls():
        yield "call"
    changed = [name for name in _PREDICTING if getattr(own, name) is not getattr(keras.Model, name)]
    if changed:
        yield changed[0]
    if "predict_on_batch" in changed[1:]:
        yield "predict_on_batch"


def _plain_calls() -> list[Any]:
    inputs = keras.Input((1,))
    return [type(keras.Model(inputs, keras.layers.Identity()(inputs))).call, keras.Sequential.call]


def _predicted(model: keras.Model, method: str, x: Any) -> Any:
    if method == "predict_on_batch":
        return model.predict_on_batch(x)
    return model.predict(x, verbose=0) if method != "predict" else model.predict(x)


def _same(expected: Any, found: Any) -> bool:
    pairs = [keras.tree.flatten(structure) for structure in (expected, found)]
    if len(pairs[0]) != len(pairs[1]):
        return False
    for one, other in zip(*pairs, strict=True):
        one, other = (np.asarray(keras.ops.convert_to_numpy(part)) for part in (one, other))
        if one.shape != other.shape or not np.issubdtype(other.dtype, np.number):
            return False
        scale = float(np.abs(one.astype("float64")).max(initial=1e-6))
        if not np.allclose(
            one.astype("float64"), other.astype("float64"), rtol=1e-2, atol=1e-2 * scale, equal_nan=True
        ):
            return False
    return True
