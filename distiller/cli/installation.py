"""Requirements of this package on this machine, and which of them are met."""

import importlib
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite.android import Part

_PACKAGE = "distillite"  # the import names are other people's on PyPI
_STRANGERS = ("distiller", "tflite")
# Extras that are of use to who uses the package, and what for.
_EXTRAS = {"tfmot": "the second quantization engine", "jax": "training on the JAX backend"}


def installation() -> "list[Part]":
    """Python, the packages that are needed, those of use, the backend and the interpreter."""
    from tflite.android import Part

    version = platform.python_version()
    enough = sys.version_info >= (3, 11)
    parts = [Part("python", enough, version, None if enough else "Install Python 3.11 to 3.13")]
    parts += packages(metadata.requires(_PACKAGE) or [])
    return [*parts, *_strangers(), _import_name(), _backend(), *_gpus(), _interpreter()]


def packages(requirements: list[str]) -> "list[Part]":
    """A part for each requirement of the package, as its metadata has them."""
    from packaging.requirements import Requirement

    from tflite.android import Part

    parts = {}
    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        needed = marker is None or marker.evaluate({"extra": ""})
        extra = None if needed else next((e for e in _EXTRAS if marker and marker.evaluate({"extra": e})), None)
        if not needed and extra is None:
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = None
        enough = version is not None and requirement.specifier.contains(version, prereleases=True)
        found = version or "not installed"
        if extra is not None:
            found += f" ({_EXTRAS[extra]})"
        remedy = None if enough else f"pip install '{requirement.name}{requirement.specifier}'"
        parts[requirement.name] = Part(requirement.name, enough, found, remedy, optional=extra is not None)
    return list(parts.values())


def _gpus() -> "list[Part]":
    """The GPUs that the driver lists, and whether the backend trains on them."""
    from distiller.utils.provenance import backend_has_gpus, listed_gpus
    from tflite.android import Part

    names, used = ", ".join(listed_gpus()), backend_has_gpus()
    found = names if used else f"{names}: not used, and trainings run on the processor"
    remedy = None if used else "pip install 'tensorflow[and-cuda]'"
    return [Part("GPU", used, found, remedy, optional=True)] if names else []


def _strangers() -> "list[Part]":
    """The packages of other people that have our import names, where they are installed."""
    from tflite.android import Part

    found = []
    for name in _STRANGERS:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        remedy = f"pip uninstall {name}, and install this package again: it is called {_PACKAGE}"
        found.append(Part(f"another {name}", False, f"{version}, which is not this package", remedy))
    return found


def _import_name() -> "Part":
    import distiller
    import tflite
    from tflite.android import Part

    ours = Path(str(tflite.__file__)).parents[1] == Path(str(distiller.__file__)).parents[1]
    remedy = None if ours else "Another package has this name: pip uninstall tflite, and install this package again"
    return Part("import tflite", ours, str(Path(str(tflite.__file__)).parent), remedy)


def _backend() -> "Part":
    from tflite.android import Part

    try:
        from distiller.utils.backend import load_backend

        load_backend()
        import keras

        name = keras.backend.backend()
    except Exception as error:  # whatever a broken installation raises
        return Part("backend", False, f"{type(error).__name__}: {error}", "Install tensorflow and keras again")
    found = name if name == "tensorflow" else f"{name}: conversion needs KERAS_BACKEND=tensorflow"
    return Part("backend", True, found)


def _interpreter() -> "Part":
    from tflite.android import Part

    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
        found = f"ai-edge-litert {metadata.version('ai-edge-litert')}"
        return Part("interpreter", hasattr(module, "Interpreter"), found)
    except Exception as error:  # a library that does not fit this system raises what it likes
        return Part("interpreter", False, f"{type(error).__name__}: {error}", "Install ai-edge-litert again")
