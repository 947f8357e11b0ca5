"""Layer names to one network with several outputs, so that each network runs once a step."""

from collections.abc import Iterable
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.endings import is_sigmoid, is_softmax, last_operations
from distiller.networks.internals import calls_in, made_by
from distiller.networks.masks import MASK, with_mask
from distiller.networks.subclassed import check_ready, is_subclassed, with_features
from distiller.utils.suggestions import unknown

# Not the name that a layer can have.
LOGITS = "@logits"


def in_words(name: str) -> str:
    """The name of an output as people know it: that of the logits is no name that they gave.

    >>> in_words(f"soft:{LOGITS}"), in_words("kind")
    ('soft:logits', 'kind')
    """
    return name.replace(LOGITS, "logits")


# Works for every ending that is refused.
TAKE_OFF = "distiller.models.logits_of(network) is the same network with logits"
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
                raise InputError(unknown(f"feature of the {role}", name, features.keys() - {MASK}))
        kept = {LOGITS: features["logits"], **{name: features[name] for name in (MASK, *layers) if name in features}}
        return keras.Model(network.inputs[0], kept)
    check_outputs(model, role=role)
    paths = {name: _path(model, name, role) for name in layers}
    for name, path in paths.items():
        _check_used_once(model, path, name, role)
    outputs = _outputs(model, list(paths.values()))
    named: dict[Any, keras.KerasTensor] = {name: outputs[path] for name, path in paths.items()}
    _check_channels_last(model, named, role)
    answers = {name: outputs[place] for place, name in enumerate(output_names(model))}
    answers = with_mask(answers, LOGITS) if LOGITS in answers else answers
    return keras.Model(entry(model), {**answers, **named}, name=f"{role}_taps")


def output_names(model: keras.Model) -> list[str]:
    """`LOGITS`, or for several outputs the name of each: its key in the dict that `model` returns, or its layer."""
    if len(model.outputs) == 1:
        return [LOGITS]
    return sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)


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

    def call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
        """Call a nested model with taps in place of the plain one; the layers, and their weights, are the same."""
        if layer not in inner:
            found[layer,] = layer(*arguments, **options)
        else:
            within = _outputs(layer, [path[1:] for path in inner[layer]])
            tapped = keras.Model(_fed(layer), list(within.values()))
            answers = dict(zip(within, keras.tree.flatten(tapped(*arguments, **options)), strict=True))
            outputs = [answers.pop(place) for place in range(len(layer.outputs))]
            found[layer,] = outputs[0] if len(outputs) == 1 else keras.tree.pack_sequence_as(layer.output, outputs)
            found.update({(layer, *path): answer for path, answer in answers.items() if isinstance(path, tuple)})
        return found[layer,]

    if isinstance(model, keras.Sequential):
        output = entry(model)
        for layer in model.layers:
            output = call(layer, output)
        return {0: output, **found}
    clone = keras.models.clone_model(
        model, input_tensors=_fed(model), clone_function=lambda layer: layer, call_function=call
    )
    return {**dict(enumerate(clone.outputs)), **found}


def _check_used_once(model: keras.Model, path: Path, name: str | int, role: str) -> None:
    """Raise InputError where a layer on the path is called several times: it has no one output."""
    for layer in path:
        if is_subclassed(model):
            raise InputError(
                f"The {role} layer {name!r} is inside {model.name!r}, a subclassed model, whose layers form no graph"
            )
        if len(calls_in(model, layer)) > 1:
            raise InputError(
                f"Expected {role} layer {name!r} to have one output. Received: {layer.name!r} is called "
                f"{len(calls_in(model, layer))} times; name a layer that is called once"
            )
        model = layer


def _check_channels_last(model: keras.Model, named: dict[Any, Any], role: str) -> None:
    """Raise InputError for feature maps (batch, channels, …, height, width)."""
    # Of a network on images a sequence (batch, positions, channels) may be made, by a reshape.
    first = {
        next((axes + 2 for axes in (1, 2, 3) if type(layer).__name__.endswith(f"{axes}D")), 4)
        for layer in _all_layers(model)
        if getattr(layer, "data_format", None) == "channels_first"
    }
    maps = [name for name, value in named.items() if any(len(v.shape) in first for v in keras.tree.flatten(value))]
    if maps:
        raise InputError(
            "Expected feature maps of shape (batch, …, channels), with the channels last. "
            f"Received: layers {maps} of a {role} with data_format='channels_first'"
        )


def _all_layers(model: keras.Model) -> list[keras.Layer]:
    return [inner for layer in getattr(model, "layers", ()) for inner in (layer, *_all_layers(layer))]


def _of(model: keras.Model, layer: keras.Layer, side: str) -> Any:
    """The tensors that a layer takes ("inputs") or gives ("outputs") in a model; in others it has others."""
    call = calls_in(model, layer)[0]
    found = call.input_tensors if side == "inputs" else call.outputs
    return found[0] if len(found) == 1 else found


def entry(model: keras.Model) -> Any:
    """The inputs of a network: one symbolic tensor or, for several inputs, a list."""
    # Not `model.input`: for a Sequential model inside another it is the outer model's tensor.
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def _fed(model: keras.Model) -> Any:
    """The same in the structure that the network is called with: a tensor, a list or a dict."""
    return entry(model) if isinstance(model, keras.Sequential) else model.input


def check_outputs(model: keras.Model, *, role: str) -> None:
    """Raise InputError unless `model` is a network whose outputs may be logits, (batch, …, classes)."""
    check_ready(model, role)
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise InputError(
            f"Expected the {role} to be a functional or built Sequential keras.Model. Received: {type(model).__name__}"
        )
    if any(len(output.shape) < 2 for output in model.outputs):
        shapes = [tuple(output.shape) for output in model.outputs]
        raise InputError(f"Expected the {role} to have outputs of shape (batch, …, classes). Received: {shapes}")
    for last in last_operations(model):
        if is_softmax(last):
            raise InputError(
                f"Expected the {role} to return logits. Its last layer {last.name!r} is a softmax; take it off "
                f"({TAKE_OFF}), and use losses with from_logits=True"
            )


def check_no_sigmoid(model: keras.Model, *, role: str) -> None:
    """Raise InputError where the only output of `model` is that of a sigmoid, and so no logits."""
    for last in last_operations(model) if len(model.outputs) == 1 else ():
        if is_sigmoid(last):
            raise InputError(
                f"Expected the {role} to return logits. Its last layer {last.name!r} is a sigmoid; take it off "
                f"({TAKE_OFF})"
            )


def check_logits(model: keras.Model, *, role: str) -> None:
    """Raise InputError unless `model` is a network with one output of logits (batch, classes)."""
    check_outputs(model, role=role)
    if role == "teacher":
        check_no_sigmoid(model, role=role)
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        shapes = [tuple(output.shape) for output in model.outputs]
        raise InputError(f"Expected the {role} to have one output of shape (batch, classes). Received: {shapes}")


def penultimate(model: keras.Model) -> keras.KerasTensor:
    """The input of the last layer of `model`: its features, of shape (batch, channels).

    What rounds the logits of a quantization-aware model is not its last layer.

    Raises:
        InputError: the last layer is not a dense layer on a vector per sample.
    """
    last = model.layers[-1]
    while keras.saving.get_registered_name(type(last)) in _ROUNDING:
        last = made_by(_of(model, last, "inputs"))[0]
    if not isinstance(last, keras.layers.Dense) or len(_of(model, last, "inputs").shape) != 2:
        raise InputError(
            "Expected a network whose last layer is Dense on features of shape (batch, channels). "
            f"Received: {type(last).__name__} {last.name!r}"
        )
    return _of(model, last, "inputs")
