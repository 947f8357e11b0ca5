"""LiteRT.js, the runtime that a browser runs a file in: fetched once from the npm registry, checked, kept."""

import base64
import hashlib
import hmac
import io
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tflite.errors import MeasurementError, ModelError
from tflite.model_file.files import write_whole

VERSION = "2.5.3"
LICENCE = "Apache-2.0"
REGISTRY = "https://registry.npmjs.org"
# Seconds without a byte after which fetching is given up.
_PATIENCE = 30.0
_CHUNK = 2**18


@dataclass(frozen=True)
class Package:
    """A package of the npm registry, pinned.

    Attributes:
        name: in the registry.
        bytes: of its archive.
        integrity: SHA-512 of the archive, in base64, as the registry states it.
    """

    name: str
    bytes: int
    integrity: str

    @property
    def file(self) -> str:
        """The name of its archive."""
        return f"{self.name.partition('/')[2]}-{VERSION}.tgz"

    @property
    def address(self) -> str:
        """The address of its archive."""
        return f"{REGISTRY}/{self.name}/-/{self.file}"


PACKAGES = (
    Package(
        "@litertjs/core",
        11_817_097,
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    ),
    Package(
        "@litertjs/wasm-utils",
        4_698,
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
    ),
)
# Builds of the WebAssembly: for processors of today, with threads, and for older browsers.
BUILDS = ("litert_wasm_internal", "litert_wasm_threaded_internal", "litert_wasm_compat_internal")
# Served name → package, and the path inside its archive. Nothing else of the archives is served.
_MEMBERS = {
    "litert.js": ("@litertjs/core", "package/dist/index.js"),
    "wasm-utils.js": ("@litertjs/wasm-utils", "package/dist/index.js"),
    **{
        f"{build}.{end}": ("@litertjs/core", f"package/wasm/{build}.{end}")
        for build in BUILDS
        for end in ("js", "wasm")
    },
}


def cache_folder() -> Path:
    """The folder of the user in which the archives are kept: `$XDG_CACHE_HOME/distiller`, else `~/.cache/distiller`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root and Path(root).is_absolute() else Path.home() / ".cache") / "distiller"


def is_kept(folder: Path | None = None) -> bool:
    """Return whether `load` finds everything in its folder and needs no network."""
    folder = cache_folder() if folder is None else Path(folder)
    return all((folder / package.file).is_file() for package in PACKAGES)


def load(
    folder: Path | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, bytes]:
    """Files of LiteRT.js by the names that a page asks for them; fetched on the first call.

    The archives are checked against their SHA-512 at every start, whether they were fetched or lay there.

    Args:
        folder: to keep the archives in; the user's cache where None.
        tell: is told in a sentence what is fetched, and under which licence.
        progress: is told the bytes that have come, and of how many.

    Raises:
        MeasurementError: the registry cannot be reached, or sent something else.
        ModelError: the folder cannot be written to.
    """
    folder = cache_folder() if folder is None else Path(folder)
    archives = {package.name: _kept(folder, package) for package in PACKAGES}
    missing = [package for package in PACKAGES if archives[package.name] is None]
    if missing:
        size = sum(package.bytes for package in missing)
        tell(
            f"Fetching LiteRT.js {VERSION} ({LICENCE}, {size / 1e6:.1f} MB) from {REGISTRY}, once; it is kept in "
            f"{folder}"
        )
    for package in missing:
        archives[package.name] = _fetched(package, folder, progress)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"Could not make the folder {str(folder)!r}: {error.strerror}") from error
        write_whole(folder / package.file, archives[package.name] or b"")
    return {name: content for package in PACKAGES for name, content in _members(package, archives[package.name] or b"")}


def _kept(folder: Path, package: Package) -> bytes | None:
    """An archive that was fetched before; None where there is none, or another file in its place."""
    try:
        content = (folder / package.file).read_bytes()
    except OSError:
        return None
    return content if _is(package, content) else None


def _is(package: Package, content: bytes) -> bool:
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return hmac.compare_digest(found, package.integrity)


def _fetched(package: Package, folder: Path, progress: Callable[[int, int], None]) -> bytes:
    by_hand = f"Without a network, put {package.address} into {str(folder)!r} by hand"
    parts: list[bytes] = []
    done = 0
    try:
        with urllib.request.urlopen(package.address, timeout=_PATIENCE) as answer:
            while part := answer.read(_CHUNK):
                parts.append(part)
                done += len(part)
                progress(done, package.bytes)
                if done > package.bytes:
                    break
    except (OSError, urllib.error.URLError) as error:
        raise MeasurementError(f"LiteRT.js cannot be fetched: {error}. {by_hand}") from error
    content = b"".join(parts)
    if not _is(package, content):
        raise MeasurementError(
            f"Expected {package.name} {VERSION} of {package.bytes:,} bytes with its SHA-512. Received: {done:,} bytes "
            f"with another, which were thrown away. {by_hand}"
        )
    return content


def _members(package: Package, archive: bytes) -> Iterator[tuple[str, bytes]]:
    wanted = {path: name for name, (owner, path) in _MEMBERS.items() if owner == package.name}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for member in packed:
            if member.name in wanted and (file := packed.extractfile(member)) is not None:
                yield wanted[member.name], file.read()
