"""Provenance of a result: software, machine, commit."""

import platform
import shutil
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from distiller import __version__
from distiller.utils.processes import cores, running

_PACKAGES = ("keras", "tensorflow", "jax", "ai-edge-litert", "numpy", "tensorflow-datasets")


def provenance() -> dict[str, Any]:
    """Versions, machine, its processes and threads, and git commit (None outside a checkout), ready for JSON."""
    return {"versions": versions(), "machine": machine(), **running(), "commit": commit()}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result, where installed."""
    found = {"python": platform.python_version(), "distiller": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, and system; the GPUs that a driver lists, where there are any.

    Those that the backend does not use are `unused_gpus`.
    """
    found = {"processor": _processor(), "cores": cores(), "system": platform.system()}
    gpus = list(listed_gpus())
    return {**found, "gpus" if backend_has_gpus() else "unused_gpus": gpus} if gpus else found


def backend_has_gpus() -> bool:
    """Return whether the backend, where it is loaded, sees a GPU."""
    return "keras" not in sys.modules or bool(sys.modules["keras"].distribution.list_devices("gpu"))


@lru_cache(maxsize=1)
def listed_gpus() -> tuple[str, ...]:
    """Names of the GPUs that NVIDIA's driver lists."""
    if shutil.which("nvidia-smi") is None:
        return ()
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return tuple(answer.stdout.strip().splitlines()) if answer.returncode == 0 else ()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith(("model name", "Hardware")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit of the checkout that this file is in, with "+" behind it where tracked files have changed."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        call = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
        return call.stdout.strip()

    try:
        if "setup.cfg" not in git("ls-tree", "--name-only", "HEAD", f"{git('rev-parse', '--show-toplevel')}/"):
            return None
        head = git("rev-parse", "HEAD")
        return head + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
