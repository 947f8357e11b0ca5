"""The shape of the two packages, read off their imports: who may import whom, no circles, no misleading names."""

import ast
import importlib
import inspect
import pkgutil
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import distiller
import tflite

ROOT = Path(__file__).parent.parent
PACKAGES = (distiller, tflite)
LONGEST = 400
# Parts of `distiller` that may import `tflite`: where a run is carried out, reported or commanded.
MAY_IMPORT_TFLITE = ("distiller.runs", "distiller.report", "distiller.cli")
# What a frozen teacher is folded with, a teacher's file is checked with, and a TFLite teacher runs in.
FOR_TEACHERS = ("tflite.keras_graph", "tflite.errors", "tflite.model_file")
# Two engines of quantization-aware training: the one that is asked for hands a model to the other.
ENGINES = {"tflite.tfmot": "tflite.quantization"}


def modules():
    """Dotted name → file of every module of both packages."""
    found = {}
    for package in PACKAGES:
        for path in Path(package.__file__).parent.rglob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(name):
    """The modules of both packages that a module imports, anywhere in it but for types alone."""
    found = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names if alias.name in MODULES)
            elif isinstance(child, ast.ImportFrom) and child.module:
                assert child.level == 0, f"{name}: a relative import"
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    found.add(whole if whole in MODULES else child.module)
            visit(child)

    visit(ast.parse(MODULES[name].read_text()))
    return {other for other in found if other in MODULES} - {name}


GRAPH = {name: imported(name) for name in MODULES}


def circle(graph):
    """Names that lead back to the first, each of which needs the one before; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def folder(name):
    """The folder of a module below its package: `distiller.teachers` of `distiller.teachers.caching.cache`."""
    found = ".".join(name.split(".")[:2])
    return ENGINES.get(found, found)


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    assert (set(found), found[0]) == ({"b", "c"}, found[-1])


def test_tflite_never_imports_distiller():
    assert not [
        (name, other)
        for name, others in GRAPH.items()
        for other in others
        if name.startswith("tflite") and other.startswith("distiller")
    ]


def test_distiller_imports_tflite_where_a_run_is_made_alone():
    for name, others in GRAPH.items():
        if name.startswith("distiller") and not name.startswith(MAY_IMPORT_TFLITE):
            assert all(folder(other) in FOR_TEACHERS for other in others if other.startswith("tflite")), name


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_no_import_circle(package):
    graph = {name: others for name, others in GRAPH.items() if name.startswith(package.__name__)}
    assert circle(graph) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_no_circle_of_folders(package):
    graph = {}
    for name, others in GRAPH.items():
        if name.startswith(f"{package.__name__}."):
            own = {folder(other) for other in others if other.startswith(f"{package.__name__}.")}
            graph.setdefault(folder(name), set()).update(own - {folder(name)})
    assert circle(graph) == []


def public_functions(package):
    """The functions in `__all__` of a package and of all packages below it."""
    found = {}
    for name in [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))]:
        module = importlib.import_module(name)
        if hasattr(module, "__path__"):
            for one in getattr(module, "__all__", ()):
                if inspect.isfunction(getattr(module, one)):
                    found.setdefault(one, name)
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_no_module_is_named_as_a_public_function(package):
    """Or `import package.name.part` finds the function. Modules of `cli` are named as the commands that they are."""
    functions = public_functions(package)
    clashes = {name for name in MODULES if name.startswith(f"{package.__name__}.") and name.split(".")[-1] in functions}
    assert {name for name in clashes if folder(name) != "distiller.cli"} == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported_by_its_name(name):
    module = importlib.import_module(name)
    found = importlib.import_module(name.split(".")[0])
    for step in name.split(".")[1:]:
        found = getattr(found, step)
    assert found is module


@pytest.mark.parametrize("package", ["distiller", "tflite", "benchmarks", "tests", "examples", "docs"])
def test_no_file_is_long(package):
    long = {str(path): len(path.read_text().splitlines()) for path in (ROOT / package).rglob("*.py")}
    assert {path: lines for path, lines in long.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_packages_state_their_public_names(package):
    assert Path(package.__file__).with_name("py.typed").exists()
    packages = [name for name, path in MODULES.items() if path.name == "__init__.py"]
    for name in packages:
        module = importlib.import_module(name)
        assert all(hasattr(module, one) for one in module.__all__), name


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_begin_with_a_noun_or_a_verb(name):
    """A reader who looks for a thing looks for its name, and not for a question."""
    tree = ast.parse(MODULES[name].read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    questions = ("What ", "Whether ", "How ", "Where ", "Which ", "Who ", "When ", "Why ")
    assert [text.splitlines()[0] for text in texts if text.startswith(questions)] == []


def renames(path):
    """True where a module renames files: `os.replace`, `os.rename`, or the methods of a path."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = {ast.unparse(call.func) for call in calls if len(call.args) + len(call.keywords) == 1}
    named |= {name for call in calls if (name := ast.unparse(call.func)) in ("os.replace", "os.rename")}
    return any(name.endswith((".replace", ".rename")) and name != "dataclasses.replace" for name in named)


def test_files_are_written_and_renamed_in_one_place_of_a_package():
    paths = [path for name in ("distiller", "tflite", "benchmarks") for path in (ROOT / name).rglob("*.py")]
    own = {str(path.relative_to(ROOT)) for path in paths if renames(path)}
    assert own == {"distiller/utils/atomic_files.py", "tflite/model_file/files.py"}
