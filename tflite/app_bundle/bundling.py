"""`tflite.bundle`: the folder that an application's developer copies from."""

import keyword
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite.app_bundle.contract import read_contract
from tflite.app_bundle.rendering import PLATFORMS, render
from tflite.app_bundle.test_images import answered
from tflite.errors import ModelError
from tflite.utils.record import Record

# Reserved words of Kotlin that an identifier of Java's, too, may not be; the others are caught as Python's.
_RESERVED = frozenset(
    {"do", "fun", "interface", "null", "object", "package", "super", "this", "throw", "val", "var", "when"}
)


@dataclass(frozen=True)
class Bundle(Record):
    """Files written for an application.

    `files` are all of them, relative to `path`; `class_name` is the generated classifier's.
    """

    path: Path
    files: tuple[str, ...]
    class_name: str


def bundle(
    path: str | Path,
    out: str | Path,
    *,
    images: np.ndarray | None = None,
    labels: Sequence[str] = (),
    name: str | None = None,
    package: str = "com.example.classifier",
    platforms: Sequence[str] = PLATFORMS,
    overwrite: bool = False,
) -> Bundle:
    """Write what an application needs to classify images with a TFLite file.

    For Android: the file and its labels as assets, a Kotlin class for this very file (size, scaling, types, threads,
    GPU with a fallback), and an instrumented test that compares the phone's scores with the interpreter's here. For
    iOS: a Swift class. For microcontrollers: the file as a C array, labels, operators to register, memory to set aside.

    Args:
        path: TFLite file of a classifier with inputs (1, height, width, 1 or 3) and outputs (1, classes).
        out: folder to write; new or empty.
        images: test images, uint8, (n, height, width, channels), of which three are used; made up where None.
        labels: names of the classes; by default those in the file's metadata.
        name: of the classifier, from which names of files and of the class are made; by default the file's.
        package: of the Kotlin code.
        platforms: of "android", "ios", "microcontroller".
        overwrite: whether a folder that a bundle was written to before is replaced.

    Raises:
        ModelError: a file that classifies no images, or whose types or operators a platform lacks; no labels; a folder
            with something else in it; a name or package that is none.
    """
    unknown = sorted(set(platforms) - set(PLATFORMS))
    if unknown or not platforms:
        raise ModelError(f"Expected platforms of {', '.join(PLATFORMS)}. Received: {', '.join(unknown) or 'none'}")
    _check_package(package)
    out = Path(out)
    contract = read_contract(path, tuple(labels))
    stem = _snake_case(name or contract.path.stem)
    class_name = "".join(part.capitalize() for part in stem.split("_")) + "Classifier"
    files = render(
        contract,
        answered(contract, images),
        stem=stem,
        class_name=class_name,
        package=package,
        platforms=tuple(platforms),
    )
    _clear(out, overwrite)
    for place, content in files.items():
        target = out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return Bundle(out, tuple(sorted(files)), class_name)


def _clear(out: Path, overwrite: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise ModelError(f"Expected a folder to write to. Received: {str(out)!r}, a file")
    if not any(out.iterdir()):
        return
    marked = (out / "README.md").is_file() and any((out / platform).is_dir() for platform in PLATFORMS)
    if not (overwrite and marked):
        raise ModelError(
            f"Expected a new or empty folder. Received: {str(out)!r}, which holds "
            + ("an earlier bundle. Replace it with --force" if marked else "other files")
        )
    for platform in PLATFORMS:
        shutil.rmtree(out / platform, ignore_errors=True)
    (out / "README.md").unlink()


def _check_package(package: str) -> None:
    parts = package.split(".")
    if not all(re.fullmatch("[a-z][a-z0-9_]*", part) for part in parts) or any(map(_reserved, parts)):
        raise ModelError(
            f"Expected a package such as com.example.classifier: names of a to z, 0 to 9 and _. Received: {package!r}"
        )


def _reserved(name: str) -> bool:
    return name in _RESERVED or keyword.iskeyword(name)


def _snake_case(name: str) -> str:
    """A name for files, and for identifiers of all languages.

    >>> _snake_case("MyStudent-int8.v2"), _snake_case("8bit")
    ('my_student_int8_v2', 'model_8bit')

    Raises:
        ModelError: nothing of it can be in such a name.
    """
    words = re.findall("[a-z0-9]+", re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    if not words:
        raise ModelError(f"Expected a name with letters of a to z, or digits. Received: {name!r}. Give one: --name")
    return "_".join(words if words[0][0].isalpha() else ["model", *words])
