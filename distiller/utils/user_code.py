"""Functions from a user's own Python code, named `module:function` or `file.py:function`."""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distiller.errors import InputError
from distiller.utils.suggestions import unknown

_NAME = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<function>[A-Za-z_]\w*)")


def names_code(name: str) -> bool:
    """Return whether `name` has the form of a function in a module or a file.

    >>> names_code("nets.py:student"), names_code("my.nets:student"), names_code("resnet8")
    (True, True, False)
    """
    return _NAME.fullmatch(name) is not None


def file_of(name: str) -> Path | None:
    """Path of the Python file of a `file.py:function`; None of a module's function.

    >>> file_of("nets.py:student").name
    'nets.py'
    """
    module = name.rpartition(":")[0]
    return Path(module) if module.endswith(".py") else None


def load_function(name: str) -> Callable[..., Any]:
    """Import the function that `name` names; its code runs with the rights of this process.

    Args:
        name: `package.module:function`, found as an import here finds it, or `path/to/file.py:function`.

    Raises:
        InputError: there is no such module or file, it fails while it is imported, or has no such function.
    """
    module_name, _, function_name = name.rpartition(":")
    try:
        module = _from_file(Path(module_name)) if module_name.endswith(".py") else importlib.import_module(module_name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"The code of {name!r} cannot be imported: {type(error).__name__}: {error}. Expected a module that Python "
            "finds from here, or the path of a .py file"
        ) from error
    found = getattr(module, function_name, None)
    if not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"In {module_name!r}: {unknown('function', function_name, public)}")
    return found


def call_with(function: Callable[..., Any], name: str, **arguments: Any) -> Any:
    """Call a user's function with those of the arguments that it takes, by their names.

    Raises:
        InputError: it asks for others, or fails; the message names the error and the line of the user's code.
    """
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    known = {key: value for key, value in arguments.items() if takes_all or key in {p.name for p in parameters}}
    missing = [p.name for p in parameters if p.default is p.empty and p.kind in _NAMED and p.name not in known]
    if missing:
        raise InputError(
            f"Expected {name!r} to take some of {', '.join(arguments)}. Received: a function that also asks for "
            f"{', '.join(missing)}"
        )
    try:
        return function(**known)
    except Exception as error:
        line = _line_of(error, function)
        raise InputError(f"{name!r} failed{line}: {type(error).__name__}: {error}") from error


_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"The Python file {str(path)!r} does not exist")
    name = f"distiller_user_code_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Classes that the file defines are saved under the name of their module.
    sys.modules[name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:  # it may import files beside it
        sys.path.append(folder)
    spec.loader.exec_module(module)
    return module


def _line_of(error: Exception, function: Callable[..., Any]) -> str:
    """Place of the deepest line of the user's own file in an error's traceback."""
    file = inspect.getsourcefile(function) if inspect.isroutine(function) else None
    found, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = f" in line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
