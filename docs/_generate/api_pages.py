"""The API reference: a page for each public module, of the names in its `__all__`."""

import importlib
import inspect
from collections.abc import Iterator

MODULES = (
    "distiller",
    "distiller.objectives",
    "distiller.bridges",
    "distiller.teachers",
    "distiller.models",
    "distiller.data",
    "distiller.optimizers",
    "distiller.privacy",
    "tflite",
    "tflite.android",
    "tflite.serving",
)


def navigation() -> list[tuple[str, str]]:
    """Titles and paths."""
    return [(f"API: {name}", _path(name)) for name in MODULES]


def pages() -> Iterator[tuple[str, str]]:
    """A page a module: path and text."""
    for name in MODULES:
        module = importlib.import_module(name)
        parts = [f"# `{name}`\n", f"{_summary(module)}\n"]
        for one in module.__all__:
            value = getattr(module, one)
            if not one.startswith("__") and (inspect.isclass(value) or inspect.isfunction(value)):
                parts.append(f"::: {value.__module__}.{value.__qualname__}\n")
        yield _path(name), "\n".join(parts)


def _path(name: str) -> str:
    return f"reference/{name.replace('.', '_')}.md"


def _summary(module: object) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0]
