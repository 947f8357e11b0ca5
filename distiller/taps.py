"""Layer names to one network with several outputs, so that each network runs once a step."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.nearest import unknown
from distiller.subclassed import is_subclassed, with_features

# Not names that a layer can have.
LOGITS, MASK = "@logits", "@mask"
# Layers of a quantization-aware model that pass on what they are given, by name: the core imports no tflite.
_ROUNDING = ("tflite>FakeQuant", "tflite>KeptFloat", "tflite>Requantized")


def tap(model: keras.Model, layers: Iterable[str | int], *, role: str) -> keras.Model:
    """A network that shares `model`'s layers and returns a dict: its outputs and every named layer's output.

    The key of the logits is `LOGITS`. A network of several outputs has each of them under its name, and no `LOGITS`.
    Where a mask reaches the logits (`keras.layers.Masking`, `Embedding(mask_zero=True)`), it is there as `MASK`.

    Args:
        model: a network whose outputs are logits (batch, …, classes): functional, Sequential, or subclassed and built.
            A subclassed one names its features itself: its method `named_features(inputs, training)` returns a dict
            with "logits" and whatever else may be compared.
        layers: names of its layers, or their places in `model.layers`; a layer of a nested model is `outer/inner`,
            where each part may be a name or a place. Of a subclassed model, names of its features.
        role: "teacher" or "student", for the messages.

    Raises:
        InputError: `model` is not built, ends in a softmax, or has no layer of a name; the message has the nearest
            names.
    """
    if is_subclassed(model):
        network = with_features(model, role=role)
        features: dict[Any, keras.KerasTensor] = dict(network.output)
        for name in layers:
            if name not in features:
                raise InputError(unknown(f"feature of the {role}", name, features))
        return keras.Model(network.inputs[0], {LOGITS: features["logits"], **{name: features[name] for name in layers}})
    check_outputs(model, role=role)
    paths = {name: _path(model, name, role) for name in layers}
    outputs = _outputs(model, [path for path in paths.values() if path])
    named: dict[Any, keras.KerasTensor] = {name: outputs[path] for name, path in paths.items()}
    answers = {name: outputs[place] for place, name in enumerate(output_names(model))}
    return keras.Model(entry(model), {**_with_mask(answers), **named}, name=f"{role}_taps")


def output_names(model: keras.Model) -> list[str]:
    """`LOGITS`, or for several outputs the name of each: its key in the dict that `model` returns, or its layer."""
    if len(model.outputs) == 1:
        return [LOGITS]
    return sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)


def _with_mask(answers: dict[str, Any]) -> dict[str, Any]:
    if LOGITS not in answers:
        return answers
    rows = _Rows()
    mask = rows(answers[LOGITS])
    return {**answers, MASK: mask} if rows.masked else answers


class _Rows(keras.layers.Layer):
    """The mask of its input, (batch, …) of float32; `masked` says whether there is one."""

    masked = False

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        self.masked = self.masked or mask is not None
        return ops.ones(ops.shape(inputs)[:-1]) if mask is None else ops.cast(mask, "float32")


Path = tuple[keras.Layer, ...]


def _path(model: keras.Model, name: str | int, role: str) -> Path:
    """The layers that lead from `model` to the one of that name; the last is the layer itself."""
    found: list[keras.Layer] = []
    inside = model
    for part in str(name).split("/"):
        members = {layer.name: layer for layer in getattr(inside, "layers", ())}
        places = {str(place): layer for place, layer in enumerate(members.values())}
        layer = members.get(part) or places.get(part)
        if layer is None:
            raise InputError(unknown(f"{role} layer", name, _names(model)))
        found.append(layer)
        inside = layer
    return tuple(found)


def _names(model: keras.Model) -> list[str]:
    return (
        [
            name
            for layer in model.layers
            for name in (layer.name, *(f"{layer.name}/{inner}" for inner in _names(layer) if hasattr(layer, "layers")))
        ]
        if hasattr(model, "layers")
        else []
    )


def _outputs(model: keras.Model, paths: list[Path]) -> dict[Path | int, keras.KerasTensor]:
    """The model's outputs, at their places, and those at `paths`: symbols that follow from `entry(model)`."""
    inner: dict[keras.Layer, list[Path]] = {}
    for path in paths:
        if len(path) > 1:
            inner.setdefault(path[0], []).append(path)
    if not inner:
        return {**dict(enumerate(model.outputs)), **{path: _of(model, path[0], "outputs") for path in paths}}
    found: dict[Path | int, keras.KerasTensor] = {}

    def call(layer: keras.Layer, *arguments, **options):
        """Call a nested model with taps in place of the plain one; the layers, and their weights, are the same."""
        if layer not in inner:
            found[layer,] = layer(*arguments, **options)
        else:
            within = _outputs(layer, [path[1:] for path in inner[layer]])
            order = list(within)
            answers = keras.Model(entry(layer), [within[key] for key in order])(*arguments, **options)
            for key, answer in zip(order, answers, strict=True):
                found[(layer, *key) if isinstance(key, tuple) else (layer,)] = answer
        return found[layer,]

    if isinstance(model, keras.Sequential):
        output = entry(model)
        for layer in model.layers:
            output = call(layer, output)
        return {0: output, **found}
    clone = keras.models.clone_model(
        model, input_tensors=entry(model), clone_function=lambda layer: layer, call_function=call
    )
    return {**dict(enumerate(clone.outputs)), **found}


def _of(model: keras.Model, layer: keras.Layer, side: str) -> Any:
    """What a layer takes ("inputs") or gives ("outputs") in a model: in others, which share it, it has others."""
    # Each `Sequential.add` makes a graph anew, of which the last is the model's.
    graph = model._functional if isinstance(model, keras.Sequential) else model
    own = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    nodes = [node for node in layer._inbound_nodes if id(node) in own]
    found = nodes[0].input_tensors if side == "inputs" else nodes[0].outputs
    return found[0] if len(found) == 1 else found


def entry(model: keras.Model) -> Any:
    """What a network is fed: one symbolic tensor or, for several inputs, a list."""
    # Not `model.input`: for a Sequential model inside another it is the outer model's tensor.
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def check_outputs(model: keras.Model, *, role: str) -> None:
    """Raise InputError unless `model` is a network whose outputs may be logits, (batch, …, classes)."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise InputError(
            f"Expected the {role} to be a functional or built Sequential keras.Model. Received: {type(model).__name__}"
        )
    if any(len(output.shape) < 2 for output in model.outputs):
        shapes = [tuple(output.shape) for output in model.outputs]
        raise InputError(f"Expected the {role} to have outputs of shape (batch, …, classes). Received: {shapes}")
    for last in _last_layers(model):
        softmax = isinstance(last, keras.layers.Softmax) or type(last).__name__ == "Softmax"  # of `keras.ops`
        if softmax or getattr(last, "activation", None) is keras.activations.softmax:
            raise InputError(
                f"Expected the {role} to return logits. Its last layer {last.name!r} is a softmax; "
                "take it off, and use losses with from_logits=True"
            )


def may_be_probabilities(model: keras.Model) -> bool:
    """Whether an output may be one of a sigmoid: it is no product with a kernel, which is one of logits."""
    if is_subclassed(model):
        return True
    linear = keras.activations.linear
    return any(
        not hasattr(last, "kernel") or getattr(last, "activation", linear) not in (None, linear)
        for last in _last_layers(model)
    )


def check_no_sigmoid(model: keras.Model, *, role: str) -> None:
    """Raise InputError where the only output of `model` is that of a sigmoid, and so no logits."""
    for last in _last_layers(model) if len(model.outputs) == 1 else ():
        if _is_sigmoid(last):
            raise InputError(
                f"Expected the {role} to return logits. Its last layer {last.name!r} is a sigmoid; take it off"
            )


def _is_sigmoid(layer: keras.Operation) -> bool:
    of_ops = type(layer).__name__ == "Sigmoid"
    return of_ops or getattr(layer, "activation", None) is keras.activations.sigmoid


def _last_layers(model: keras.Model) -> list[keras.Operation]:
    """The layers or operations that make the outputs; of a nested model, its own."""
    last = {id(output._keras_history.operation): output._keras_history.operation for output in model.outputs}.values()
    return [
        inner
        for layer in last
        for inner in (_last_layers(layer) if isinstance(layer, keras.Model) and not is_subclassed(layer) else [layer])
    ]


def check_logits(model: keras.Model, *, role: str) -> None:
    """Raise InputError unless `model` is a network with one output of logits (batch, classes)."""
    check_outputs(model, role=role)
    if role == "teacher":
        check_no_sigmoid(model, role=role)
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        shapes = [tuple(output.shape) for output in model.outputs]
        raise InputError(f"Expected the {role} to have one output of shape (batch, classes). Received: {shapes}")


def penultimate(model: keras.Model) -> keras.KerasTensor:
    """What the last layer of `model` sees: its features, of shape (batch, channels).

    What rounds the logits of a quantization-aware model is not its last layer.

    Raises:
        InputError: the last layer is not a dense layer on a vector a sample.
    """
    last = model.layers[-1]
    while keras.saving.get_registered_name(type(last)) in _ROUNDING:
        last = _of(model, last, "inputs")._keras_history.operation
    if not isinstance(last, keras.layers.Dense) or len(_of(model, last, "inputs").shape) != 2:
        raise InputError(
            "Expected a network whose last layer is Dense on features of shape (batch, channels). "
            f"Received: {type(last).__name__} {last.name!r}"
        )
    return _of(model, last, "inputs")
