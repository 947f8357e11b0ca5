"""Private names of Keras are used in one module of a package alone, `internals.py`."""

import ast
import functools
import importlib
import inspect
import textwrap
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
    objects += (keras.losses.MeanSquaredError(),)
    names = {name for one in objects for name in dir(one)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


NAMES = private_names()


def from_keras(base):
    return base.__module__.partition(".")[0] in ("keras", "tf_keras")


@functools.cache
def private_names_of(base):
    """Private methods of a class of Keras, and the private attributes that its methods set or read."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_own(node)}
    names = taken | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("_") and not name.endswith("__")}


def bases(definition, namespace, tree):
    """The classes that a class of a module derives from at any depth, those that a function defines among them."""
    inside = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node is not definition}
    for base in definition.bases:
        try:
            found = eval(ast.unparse(base), namespace)
            yield from inspect.getmro(found) if isinstance(found, type) else ()  # `NamedTuple` is a function
        except NameError:  # a class, or a module imported, inside a function
            if base_definition := inside.get(ast.unparse(base)):
                yield from bases(base_definition, namespace, tree)


def overrides(tree, namespace):
    """Lines at which a class derived from one of Keras's defines or takes, of itself, a private name of that class."""
    for definition in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        of_keras = filter(from_keras, bases(definition, namespace, tree))
        names = set().union(*map(private_names_of, of_keras))
        for node in ast.walk(definition):
            if isinstance(node, ast.FunctionDef) and node.name in names:
                yield node.lineno
            if isinstance(node, ast.Attribute) and is_own(node) and node.attr in names:
                yield node.lineno


def is_own(attribute):
    return isinstance(attribute.value, ast.Name) and attribute.value.id in ("self", "cls")


def is_by_name(node):
    """Whether a call asks for a private attribute by its name, as `getattr(loss, "_fn_kwargs")`."""
    by_name = isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr", "delattr")
    return by_name and isinstance(node.args[1], ast.Constant) and node.args[1].value in NAMES


def private_uses(source, namespace):
    """Lines that import `keras.src`, take a private name of Keras from an object, or override one."""
    tree = ast.parse(source)
    found = set(overrides(tree, namespace))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and "keras.src" in ast.unparse(node):
            found.add(node.lineno)
        if isinstance(node, ast.Attribute) and node.attr in NAMES and not is_own(node):
            found.add(node.lineno)
        if is_by_name(node):
            found.add(node.lineno)
    return sorted(found)


def uses_in(path, package):
    """The lines of a module of a package at which it uses private names."""
    parts = path.relative_to(Path(package.__file__).parent).with_suffix("").parts
    name = ".".join((package.__name__, *parts)).removesuffix(".__init__")
    return private_uses(path.read_text(), vars(importlib.import_module(name)))


@pytest.mark.parametrize(("package", "place"), PLACES, ids=lambda one: getattr(one, "__name__", ""))
def test_private_keras_is_used_in_one_module(package, place):
    root = Path(package.__file__).parent
    modules = (path for path in root.rglob("*.py") if path.name != "__main__.py")
    uses = {str(path.relative_to(root)): uses_in(path, package) for path in modules}
    assert {name: lines for name, lines in uses.items() if lines}.keys() == {place}


@pytest.mark.parametrize(
    "line",
    [
        "model._flatten_layers()",
        "x._keras_history.operation",
        "from keras.src import backend",
        "layer._inbound_nodes = 1",
        "getattr(loss, '_fn_kwargs', {})",
        "super()._symbolic_build()",
    ],
)
def test_a_private_use_is_seen(line):
    assert private_uses(line, {}) == [1]


OVERRIDES = """
class Adopted(keras.Variable):
    def _initialize(self, value):
        self._value = self._adopted

class Further(Adopted):
    def assign(self, value):
        self._value = value

def made():
    class Inside(Adopted):
        _own = 1

        def assign(self, value):
            self._value = self._own

class Plain(dict):
    def _initialize(self):
        self._value = 1
"""


def test_an_override_is_seen_and_a_private_attribute_of_the_class_itself():
    assert private_uses(OVERRIDES, {"keras": keras}) == [3, 4, 8, 15]


def test_names_of_ones_own_are_free():
    assert private_uses("self._layers_of_mine = found._own\ngetattr(found, '_own')", {}) == []


def test_the_version_of_keras_is_one_that_was_looked_at():
    assert keras.__version__ in RUN_ON
