"""Examples in the docstrings of public names run as they are typed: they import what they use."""

import ast
import builtins
import doctest
import importlib

import pytest

MODULES = [
    "distiller",
    *(f"distiller.{name}" for name in ("bridges", "data", "models", "objectives", "optimizers", "privacy", "teachers")),
    "tflite",
]


def public():
    """Every public class, method and function by its name."""
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", ["DOT"]):
            thing = getattr(module, name)
            if not callable(thing):
                continue
            members = vars(thing).items() if isinstance(thing, type) else ()
            for path, each in [("", thing), *((f".{m}", getattr(thing, m)) for m, _ in members if m[0] != "_")]:
                if callable(each) and ">>>" in (each.__doc__ or ""):
                    yield f"{module.__name__}.{name}{path}", each


def unknown_names(text):
    """The names that an example uses and neither makes nor imports."""
    known, missing = set(dir(builtins)), []
    for example in doctest.DocTestParser().get_examples(text):
        tree = ast.parse(example.source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                known |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                known.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                known.add(node.name)
            elif isinstance(node, ast.arg):
                known.add(node.arg)
        missing += [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in known]
    return sorted(set(missing))


def test_what_an_example_lacks_is_found():
    assert unknown_names(">>> import numpy as np\n>>> a = [np.sum(b) for b in range(3)]\n>>> build(a)") == ["build"]


EXAMPLES = dict(public())


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_import_what_they_use(name):
    assert unknown_names(EXAMPLES[name].__doc__) == []
