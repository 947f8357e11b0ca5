"""Images whose labels or numbers are in a CSV file beside them."""

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distiller.data.folders import Photos, key_of
from distiller.errors import InputError
from distiller.utils.suggestions import unknown

IMAGE, LABELS = "image", "labels"
# Between several labels of one cell; a space may be part of a name.
_BETWEEN = re.compile(r"[;|,]")
_USUAL = "labels.csv"


def list_rows(
    folder: Path, file: str | None, columns: Sequence[str] | None, task: str, seed: int
) -> tuple[Photos, tuple[str, ...]]:
    """The images that a CSV file names, with what it says of each, float32 (n, outputs), and the names of the outputs.

    The file has a column `image` with paths in the folder, and a column for each label, 0 or 1, or for each number. Of
    several labels it may have one column `labels` in place of theirs, with names between `;`, `|` or commas.

    Args:
        folder: of the images.
        file: name of the CSV file in the folder, or its path; `labels.csv` by default.
        columns: those that are outputs, in this order; by default all but `image`. With a column `labels`, its names.
        task: "multi_label" or "regression".
        seed: of the keys that decide what is held out.

    Raises:
        InputError: no such file or column, an image that is missing or named twice, or a cell that is no label or no
            number; the message names the line.
    """
    path = _file(folder, file)
    lines, header = _lines(path)
    if IMAGE not in header:
        raise InputError(f"Expected a column {IMAGE!r} in {str(path)!r}. Received: {', '.join(header) or 'none'}")
    paths = _images(folder, path, lines)
    if task == "multi_label" and set(header) == {IMAGE, LABELS}:
        values, names = _named_labels(path, lines, columns)
    else:
        names = tuple(columns or [name for name in header if name != IMAGE])
        for name in names:
            if name not in header:
                raise InputError(f"{unknown('column', name, header)} It is looked for in {str(path)!r}.")
        if not names:
            raise InputError(f"Expected a column beside {IMAGE!r} in {str(path)!r}. Received: none")
        read = _yes_or_no if task == "multi_label" else _number
        values = np.array([[read(path, line, row, name) for name in names] for line, row in lines], "float32")
    order = np.argsort([str(one) for one in paths], kind="stable")
    named = np.array([one.as_posix() for one in paths])[order]
    keys = np.array([key_of(name, seed) for name in named], np.uint64)
    files = np.array([folder / one for one in paths], object)[order]
    return Photos(files, named, values[order], keys), names


def _file(folder: Path, file: str | None) -> Path:
    if file is None:
        path = folder / _USUAL
        if not path.is_file():
            raise InputError(
                f"Expected {_USUAL!r} in {str(folder)!r}, with a column {IMAGE!r} and those of the labels or numbers, "
                "or data.labels with its path. Received: no such file"
            )
        return path
    path = next((path for path in (folder / file, Path(file)) if path.is_file()), Path(file))
    if not path.is_file():
        raise InputError(f"The file of labels {file!r} does not exist, neither here nor in {str(folder)!r}")
    return path


def _lines(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """The rows with the numbers of their lines, and the header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [(name or "").strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = [(reader.line_num, row) for row in reader if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The file of labels {str(path)!r} cannot be read: {error}") from error
    twins = sorted({name for name in header if header.count(name) > 1})
    if twins:
        raise InputError(f"Expected every column of {str(path)!r} once. Received twice: {', '.join(twins)}")
    for line, row in rows:
        if None in row or None in row.values():
            raise InputError(f"Expected {len(header)} cells in line {line} of {str(path)!r}. Received: more or fewer")
    if not rows:
        raise InputError(f"Expected a line for each image in {str(path)!r}. Received: none")
    return rows, header


def _images(folder: Path, path: Path, lines: Sequence[tuple[int, dict[str, str]]]) -> list[Path]:
    seen: dict[Path, int] = {}
    for line, row in lines:
        one = Path(row[IMAGE].strip())
        if not row[IMAGE].strip() or not (folder / one).is_file():
            raise InputError(f"Line {line} of {str(path)!r}: the image {row[IMAGE]!r} is not in {str(folder)!r}")
        if one in seen:
            raise InputError(f"Line {line} of {str(path)!r}: the image {row[IMAGE]!r} is in line {seen[one]} already")
        seen[one] = line
    return list(seen)


def _named_labels(
    path: Path, lines: Sequence[tuple[int, dict[str, str]]], columns: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    cells = [[name.strip() for name in _BETWEEN.split(row[LABELS]) if name.strip()] for _, row in lines]
    names = tuple(columns or sorted({name for cell in cells for name in cell}))
    if not names:
        raise InputError(f"Expected names in the column {LABELS!r} of {str(path)!r}. Received: none")
    for (line, _), cell in zip(lines, cells, strict=True):
        for name in cell:
            if name not in names:
                raise InputError(f"Line {line} of {str(path)!r}: {unknown('label', name, names)}")
    return np.array([[name in cell for name in names] for cell in cells], "float32"), names


def _yes_or_no(path: Path, line: int, row: dict[str, str], name: str) -> float:
    if row[name].strip() not in ("0", "1", "0.0", "1.0"):
        raise InputError(f"Line {line} of {str(path)!r}: expected 0 or 1 of {name!r}. Received: {row[name]!r}")
    return float(row[name])


def _number(path: Path, line: int, row: dict[str, str], name: str) -> float:
    try:
        number = float(row[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"Line {line} of {str(path)!r}: expected a number of {name!r}. Received: {row[name]!r}")
    return number
