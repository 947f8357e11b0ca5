"""Private names of Keras's objects are used in `distiller/networks/internals.py` alone."""

import ast
from pathlib import Path

import keras

import distiller

ROOT = Path(distiller.__file__).parent


def private_names():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    objects = [model, keras.Model(model.inputs, model.outputs), model.layers[0], model.optimizer, model.outputs[0]]
    return {name for one in objects for name in {*dir(type(one)), *vars(one)} if name.startswith("_")}


def test_internals_alone_use_them():
    names = {name for name in private_names() if not name.startswith("__")}
    used = {}
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
            if isinstance(node, ast.Attribute) and node.attr in names and not own:
                used.setdefault(path.relative_to(ROOT).as_posix(), set()).add(node.attr)
    assert set(used) == {"networks/internals.py"}
    assert {"_flatten_layers", "_inbound_nodes", "_nodes_by_depth", "_symbolic_build"} <= used["networks/internals.py"]
