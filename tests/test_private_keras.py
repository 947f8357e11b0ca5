"""Private names of Keras are used in one module of a package alone, `internals.py`."""

import ast
from pathlib import Path

import keras
import pytest

import distiller
import tflite

# The versions of Keras that the private names were read in and the tests were run on: look at them again for others.
RUN_ON = {"3.15.1"}
PLACES = [(distiller, "networks/internals.py"), (tflite, "keras_graph/internals.py")]


def private_names():
    """Private attributes of Keras's classes, and those that their objects get when they are made."""
    symbol = keras.Input((2,), name="pixels")
    layer = keras.layers.Dense(1)
    functional = keras.Model(symbol, layer(symbol))
    objects = (symbol, layer, layer.kernel, functional, keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    objects += (keras.optimizers.SGD(), keras.metrics.Mean(), keras.layers.LSTM(1))
    names = {name for one in objects for name in dir(one)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


NAMES = private_names()


def private_uses(source):
    """Lines that import `keras.src`, or take a private name of Keras from something else than the object itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and "keras.src" in ast.unparse(node):
            found.append(node.lineno)
        own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        if isinstance(node, ast.Attribute) and node.attr in NAMES and not own:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(("package", "place"), PLACES, ids=lambda one: getattr(one, "__name__", ""))
def test_private_keras_is_used_in_one_module(package, place):
    root = Path(package.__file__).parent
    uses = {str(path.relative_to(root)): private_uses(path.read_text()) for path in root.rglob("*.py")}
    assert {name for name, lines in uses.items() if lines} == {place}


@pytest.mark.parametrize(
    "line", ["model._flatten_layers()", "x._keras_history.operation", "from keras.src import backend", "l._nodes = 1"]
)
def test_a_private_use_is_seen(line):
    assert private_uses(line.replace("_nodes", "_inbound_nodes")) == [1]
    assert private_uses("self._layers_of_mine = found._own") == []


def test_the_version_of_keras_is_one_that_was_looked_at():
    assert keras.__version__ in RUN_ON
