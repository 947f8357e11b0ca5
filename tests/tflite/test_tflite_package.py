"""The package: quick to import, its functions are functions, it stands alone."""

import ast
import importlib
import inspect as standard_inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import tflite

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("benchmark", "check", "compare", "convert", "evaluate", "inspect", "labels")


def test_it_is_this_package_and_not_the_one_of_the_same_name():
    assert Path(tflite.__file__) == ROOT / "tflite" / "__init__.py"


def test_import_loads_no_framework_and_is_quick():
    code = """if True:
        import json, sys, time
        started = time.process_time()
        import tflite
        seconds = time.process_time() - started
        heavy = [name for name in ("tensorflow", "keras", "ai_edge_litert", "distiller") if name in sys.modules]
        print(json.dumps([seconds, heavy]))
    """
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert all(heavy == [] for _, heavy in runs)
    assert min(seconds for seconds, _ in runs) < 0.3


def test_functions_are_not_hidden_by_modules():
    for module in pkgutil.walk_packages([str(ROOT / "tflite")], "tflite."):
        importlib.import_module(module.name)
    for name in FUNCTIONS:
        assert standard_inspect.isfunction(getattr(tflite, name)), name


def test_everything_public_is_listed_in_order_and_has_a_docstring():
    assert sorted(tflite.__all__) == sorted(set(tflite.__all__))
    for name in tflite.__all__:
        assert getattr(tflite, name).__doc__


def test_it_never_imports_the_other_package():
    for file in (ROOT / "tflite").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "distiller"], file


def test_only_one_module_makes_an_interpreter():
    makers = [file.name for file in (ROOT / "tflite").rglob("*.py") if "import Interpreter" in file.read_text()]
    assert makers == ["interpreter.py"]


def test_error_tree():
    assert issubclass(tflite.ModelError, ValueError)
    assert issubclass(tflite.ConversionError, RuntimeError)
