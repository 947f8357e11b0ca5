"""Machine and software that a latency belongs to."""

import platform
from pathlib import Path

_INTERPRETER = "ai-edge-litert"


def processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith(("model name", "Hardware")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that run a model."""
    from importlib import metadata  # slow to import

    return {"python": platform.python_version(), **{name: metadata.version(name) for name in (_INTERPRETER, "numpy")}}


def tool() -> str:
    """Tool that measures on this machine."""
    from importlib import metadata

    return f"{_INTERPRETER} {metadata.version(_INTERPRETER)}"


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    return _status("VmRSS") or _most_resident_by_the_system()


def most_resident_bytes() -> int:
    """The most memory of this process that was in use at once, since `forget_most_resident`."""
    return _status("VmHWM") or _most_resident_by_the_system()


def forget_most_resident() -> None:
    """Start `most_resident_bytes` anew, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)


def _most_resident_by_the_system() -> int:
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
