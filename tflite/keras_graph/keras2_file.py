"""HDF5 files of Keras 2: the configuration of their layers in the words of Keras 3."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tflite.errors import ModelError

# Arguments that Keras 3 does not have, with the one value that changes nothing; None where no value does.
_GONE: dict[str, Any] = {
    "groups": 1,  # of convolutions that have none in Keras 3
    "time_major": False,
    "rng_type": None,
    "query_shape": None,
    "key_shape": None,
    "value_shape": None,
    "softmax_robust_masking": False,
}
_WITH_GROUPS = frozenset({"Conv1D", "Conv2D", "Conv3D", "GroupNormalization"})
# Functions of TensorFlow that a model of Keras 2 called on tensors, and the activations that they are.
_ACTIVATIONS = {
    **{f"{module}.{name}": name for module in ("nn", "math") for name in ("sigmoid", "tanh", "softmax", "softplus")},
    **{f"nn.{name}": name for name in ("relu", "relu6", "elu", "selu", "gelu", "silu")},
    "nn.swish": "silu",
}
_SUMS = {"__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract", "math.multiply": "Multiply"}


@contextlib.contextmanager
def readable(path: Path) -> Iterator[Path]:
    """A file that Keras 3 reads, while the context lasts: a copy of an HDF5 file of Keras 2, any other file itself.

    Raises:
        ModelError: the model calls a function of TensorFlow that Keras 3 has no layer for, which is named.
    """
    found = None if path.suffix == ".keras" else _configuration(path)
    if found is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        import h5py

        copy = Path(folder) / f"model{path.suffix}"
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(_renamed(_translated(found)))
        yield copy


def _configuration(path: Path) -> Any:
    """The configuration of the model in a file of Keras 2; None for another file."""
    import h5py

    try:
        with h5py.File(path) as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except OSError:  # a damaged one, of which Keras says more
        return None
    version = version.decode() if isinstance(version, bytes) else str(version)
    return None if text is None or not version.startswith("2") else json.loads(text)


def _translated(part: Any) -> Any:
    """A part of a configuration without what Keras 3 does not have."""
    if isinstance(part, list):
        return [_translated(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("class_name") in ("TFOpLambda", "SlicingOpLambda"):
        return _layer_of(part)
    if part.get("class_name") in ("Policy", "PolicyV1"):
        return part["config"]["name"]
    part = {key: _translated(value) for key, value in part.items()}
    if part.get("class_name") == "MultiHeadAttention":
        raise ModelError(
            f"it was saved by Keras 2 and holds attention ({part['config'].get('name')!r}), whose calls Keras 3 does "
            "not read. Make the model in Keras 3 and copy the weights: "
            "model.set_weights(tf_keras.models.load_model(path).get_weights())"
        )
    config, kind = part.get("config"), part.get("class_name")
    if isinstance(config, dict) and isinstance(kind, str):
        if isinstance(config.get("layers"), list):
            _count_calls_from_zero(config)
            for ends in ("input_layers", "output_layers"):
                # Keras 2 lists a single tensor, and takes and returns it without a list.
                if len(config.get(ends) or ()) == 1 and isinstance(config[ends][0], list):
                    [config[ends]] = config[ends]
        part["config"] = {key: value for key, value in config.items() if _is_known(kind, key, value)}
    return part


def _is_known(kind: str, key: str, value: Any) -> bool:
    """Return whether an argument is to stay; what changes something stays, for Keras to refuse."""
    if kind.startswith("SeparableConv") and key.startswith("kernel_") and key != "kernel_size":
        return False  # of the class that it was derived from
    if key not in _GONE or (key == "groups" and kind in _WITH_GROUPS):
        return True
    return _GONE[key] is not None and value != _GONE[key]


def _count_calls_from_zero(config: dict[str, Any]) -> None:
    """Number the calls of models in a model as Keras 3 does: Keras 2 counts the one that they were made with."""
    inner = {
        layer["config"]["name"]
        for layer in config["layers"]
        if isinstance(layer, dict) and "layers" in layer.get("config", {})
    }
    calls: list[list[Any]] = []

    def collect(part: Any) -> None:
        if isinstance(part, list) and len(part) >= 3 and isinstance(part[0], str) and part[0] in inner:
            calls.append(part)
        for each in part if isinstance(part, list) else part.values() if isinstance(part, dict) else ():
            collect(each)

    collect([layer.get("inbound_nodes") for layer in config["layers"]])
    collect(config.get("output_layers"))
    first = {name: min(call[1] for call in calls if call[0] == name) for name in {call[0] for call in calls}}
    for call in calls:
        call[1] -= first[call[0]]


def _layer_of(part: dict[str, Any]) -> dict[str, Any]:
    """The layer that computes what a model of Keras 2 called a function of TensorFlow for."""
    name, function = part["config"]["name"], part["config"].get("function", "")
    [[source, node, place, given]] = part["inbound_nodes"]
    other = given.get("y")
    config: dict[str, Any] = {"name": name, "dtype": part["config"].get("dtype", "float32")}
    nodes: list[Any] = [[source, node, place, {}]]
    if function in _ACTIVATIONS:
        kind, config["activation"] = "Activation", _ACTIVATIONS[function]
    elif function in _SUMS and isinstance(other, list) and len(other) == 3 and isinstance(other[0], str):
        kind = _SUMS[function]
        nodes.append([*other, {}])
    elif (numbers := _scale_and_offset(function, other)) is not None:
        kind = "Rescaling"
        config["scale"], config["offset"] = numbers
    else:
        raise ModelError(
            f"it was saved by Keras 2 and calls tf.{function or 'slice'} ({name!r}), which Keras 3 does not read. "
            "Write that with a layer in Keras 2 and save it anew, or convert it there: "
            "tf.lite.TFLiteConverter.from_keras_model(tf_keras.models.load_model(path))"
        )
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": [nodes]}


def _scale_and_offset(function: str, number: Any) -> tuple[float, float] | None:
    """The a and b of a function of a tensor and a number that is a·x + b."""
    if not isinstance(number, int | float):
        return None
    if function in ("math.truediv", "__operators__.truediv", "math.divide") and number:
        return 1 / number, 0.0
    found = {
        "Add": (1.0, float(number)),
        "Subtract": (1.0, -float(number)),
        "Multiply": (float(number), 0.0),
    }
    return found.get(_SUMS.get(function, ""))


def _renamed(configuration: Any) -> Any:
    """The configuration with names of layers that hold no slash, which Keras 3 does not take."""
    taken: dict[str, str] = {}

    def collect(part: Any) -> None:
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            collect(each)
        config = part.get("config") if isinstance(part, dict) else None
        if isinstance(config, dict) and "/" in str(config.get("name", "")):
            taken[config["name"]] = config["name"].replace("/", "_")

    def rename(part: Any) -> Any:
        if isinstance(part, list):
            return [rename(each) for each in part]
        if isinstance(part, dict):
            return {key: rename(value) for key, value in part.items()}
        return taken.get(part, part) if isinstance(part, str) else part

    collect(configuration)
    return rename(configuration)
