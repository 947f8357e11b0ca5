"""Names of layers in a file: an operator's tensor is called by the path of its layer."""

import functools
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tflite.keras_graph.internals import flatten_layers, set_name_scope

if TYPE_CHECKING:
    import keras


def name_scopes(model: "keras.Model") -> tuple[str, ...]:
    """Let every layer and operation of a model write its own name into the graph; returns their paths, as "block/conv".

    Keras opens the scope of a layer twice, to build it and to call it, and TensorFlow makes the second `conv_1`, which
    may be the name of another layer. A name that ends in a slash is taken as it is.

    Args:
        model: a copy that is made for the export.
    """
    import keras
    import tensorflow as tf

    set_name_scope(model, functools.partial(tf.name_scope, f"{model.name}/"))
    paths: list[str] = []

    def visit(parent: Any, prefix: str) -> None:
        for layer in flatten_layers(parent, include_self=False, recursive=False):
            path = f"{prefix}{layer.name}"
            set_name_scope(layer, functools.partial(tf.name_scope, f"{path}/"))
            paths.append(path)
            visit(layer, f"{path}/")
        for operation in getattr(parent, "operations", ()):
            if not isinstance(operation, keras.Layer):
                path = f"{prefix}{operation.name}"
                operation.call = _in_scope(operation.call, f"{path}/")
                paths.append(path)

    visit(model, "")
    return tuple(dict.fromkeys(paths))


def _in_scope(function: Callable[..., Any], scope: str) -> Callable[..., Any]:
    """The function, whose operations are made in a scope; Keras opens one for layers alone."""
    import tensorflow as tf

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with tf.name_scope(scope):
            return function(*args, **kwargs)

    return call


def layers_of(tensor: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The layers that a tensor's name tells of, which are several where the converter fused them.

    >>> layers_of("relu/Relu;conv/convolution;conv/Add", ["conv", "relu", "block"])
    ('relu', 'conv')
    >>> layers_of("block/conv/convolution1", ["block", "block/conv"])
    ('block/conv',)
    """
    known = set(paths)
    found = []
    for part in tensor.split(";"):
        pieces = re.sub(r":\d+$", "", part).split("/")
        candidates = ("/".join(pieces[:length]) for length in range(len(pieces), 0, -1))
        found.append(next((path for path in candidates if path in known), None))
    return tuple(dict.fromkeys(path for path in found if path is not None))
