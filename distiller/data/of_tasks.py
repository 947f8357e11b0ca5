"""Images of other tasks than one class an image: with several labels, numbers or masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from distiller.data import arrays, derived, mask_folders, tables
from distiller.data.folders import PARTS, Photos, decoded
from distiller.data.sources import SPLIT_SEED, is_name, load
from distiller.data.splits import Dataset, Split, first_of_each
from distiller.errors import InputError
from distiller.utils.suggestions import unknown

TASKS = ("multi_label", "regression", "segmentation")
_USUAL_SIZE = (32, 32)
_TEST = 1 / 6


def load_task(
    name: str | Path,
    task: str,
    *,
    labels: str | None = None,
    columns: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    derive: str | None = None,
    data_dir: str | Path | None = None,
    validation: float = 0.1,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | Path | None = None,
) -> Dataset:
    """Train, validation and test images of a task; `classes` of the result are the names of its outputs.

    Labels are float32 (n, labels) of 0 and 1, float32 (n, numbers), or int32 (n, height, width) with −1 for pixels that
    do not count. Of folders a sixth is the test split and the share `validation` of the others is held out, by the
    names of the files; where all images are in folders `train`, `test` and perhaps `val`, that is the division.

    Args:
        name: a folder with a CSV file (`tables.list_rows`) or with `images/` and `masks/` (`mask_folders.list_pairs`),
            a file of arrays with `x_train` and `y_train`, or with `derive` a name of `data.load`.
        task: "multi_label", "regression" or "segmentation".
        labels: the CSV file, by default `labels.csv` in the folder.
        columns: of the CSV file, by default all but `image`.
        classes: names of the numbers in masks.
        derive: "superclass", "properties", "rotation" or "strokes": labels made from those of classes; see `derived`.
        data_dir, validation, image_size, cache_dir: as of `data.load`.

    Raises:
        InputError: what is missing or does not fit, with the file and the line.
        WorkError: as of `data.load`.
    """
    if task not in TASKS:
        raise InputError(unknown("task", task, TASKS))
    if derive is not None:
        return _derived(name, task, derive, data_dir, validation, image_size, cache_dir)
    path, size = Path(name), image_size or _USUAL_SIZE
    if is_name(name):
        known = ", ".join(key for key, of in derived.DERIVED.items() if of[0] == task)
        raise InputError(
            f"The images {str(name)!r} have one class each and no labels of the task {task}. Expected a folder or a "
            f"file of arrays, or data.derive, one of {known}"
        )
    if path.suffix == arrays.ENDING:
        return _of_arrays(path, task, validation)
    if not path.is_dir():
        raise InputError(f"Expected a folder or a file of arrays ({arrays.ENDING}). Received: {str(name)!r}")
    if task == "segmentation":
        found, names = mask_folders.list_pairs(path, size, classes, SPLIT_SEED)
    else:
        found, names = tables.list_rows(path, labels, columns, task, SPLIT_SEED)
    train, held, test = _divided(found, path, validation)
    cache = None if cache_dir is None else Path(cache_dir)
    splits = decoded(path, [train, test, held], size, cache)
    return Dataset(path.name, splits[0], splits[2], splits[1], names)


def _derived(
    name: str | Path,
    task: str,
    derive: str,
    data_dir: str | Path | None,
    validation: float,
    image_size: tuple[int, int] | None,
    cache_dir: str | Path | None,
) -> Dataset:
    if derive not in derived.DERIVED:
        raise InputError(unknown("derivation", derive, derived.DERIVED))
    of_task, function = derived.DERIVED[derive]
    if of_task != task:
        raise InputError(f"data.derive {derive}: expected the task {of_task}. Received: {task}")
    source = load(name, data_dir=data_dir, validation=validation, image_size=image_size, cache_dir=cache_dir)
    train, names = function(source.train, source.classes)
    held, test = (function(split, source.classes)[0] for split in (source.validation, source.test))
    return Dataset(f"{source.name}, {derive}", train, held, test, names)


def _divided(found: Photos, folder: Path, validation: float) -> tuple[Photos, Photos, Photos]:
    """Training, validation and test images, by the folders that they are in, else by their keys."""
    firsts = [Path(name).parts for name in found.names]
    skip = 1 if all(parts[0] == mask_folders.IMAGES for parts in firsts) else 0
    parts = np.array([PARTS.get(parts[skip].lower(), "") if len(parts) > skip + 1 else "" for parts in firsts])
    if (parts != "").all() and {"train", "test"} <= set(parts):
        train, test = (found.take(np.flatnonzero(parts == part)) for part in ("train", "test"))
        held = found.take(np.flatnonzero(parts == "val"))
        return (train, held, test) if len(held.names) else (*_hold_out(train, validation, folder), test)
    rest, test = _hold_out(found, _TEST, folder)
    return *_hold_out(rest, validation, folder), test


def _hold_out(images: Photos, share: float, folder: Path) -> tuple[Photos, Photos]:
    if len(images.names) < 3:
        raise InputError(f"Expected at least 3 images to divide in {str(folder)!r}. Received: {len(images.names)}")
    held = first_of_each(np.zeros(len(images.names), int), share, np.argsort(images.keys, kind="stable"))
    return images.take(np.flatnonzero(~held)), images.take(np.flatnonzero(held))


def _of_arrays(path: Path, task: str, validation: float) -> Dataset:
    found = arrays.read_all(path)
    splits = {part: _split(found, part, path, task) for part in ("train", "val", "test") if f"x_{part}" in found}
    if "train" not in splits:
        raise InputError(
            f"Expected the arrays x_train and y_train in {str(path)!r}. Received: {', '.join(sorted(found)) or 'none'}"
        )
    shapes = {(split.images.shape[1:], split.labels.shape[1:]) for split in splits.values()}
    if len(shapes) > 1:
        raise InputError(f"Expected images and labels of one shape in {str(path)!r}. Received: {sorted(shapes)}")
    train, test, held = splits["train"], splits.get("test"), splits.get("val")
    if test is None:
        train, test = _drawn(train, _TEST)
    if held is None:
        train, held = _drawn(train, validation)
    labels = [split.labels for split in (train, held, test)]
    outputs = 1 + int(max(one.max() for one in labels)) if task == "segmentation" else labels[0].shape[1]
    names = tuple(np.ravel(found["classes"]).astype(str)) if "classes" in found else tuple(map(str, range(outputs)))
    fits = len(names) >= max(2, outputs) if task == "segmentation" else len(names) == outputs
    if not fits:
        raise InputError(f"Expected names of {outputs} outputs in `classes` of {str(path)!r}. Received: {len(names)}")
    return Dataset(path.name, train, held, test, names)


def _drawn(split: Split, share: float) -> tuple[Split, Split]:
    order = np.random.default_rng(SPLIT_SEED).permutation(len(split))
    held = first_of_each(np.zeros(len(split), int), share, order)
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


def _split(found: Mapping[str, np.ndarray], part: str, path: Path, task: str) -> Split:
    images, labels = arrays.images_of(found, part, path), found.get(f"y_{part}")
    where = f"y_{part} in {str(path)!r}"
    if labels is None or len(labels) != len(images) or labels.dtype.kind not in "iufb":
        received = "none" if labels is None else f"{labels.dtype} {labels.shape}"
        raise InputError(f"Expected {where} as numbers, one row for each of {len(images)} images. Received: {received}")
    if task == "segmentation":
        if labels.shape != images.shape[:3] or labels.dtype.kind not in "iu":
            raise InputError(f"Expected {where} as whole numbers {images.shape[:3]}. Received: {labels.shape}")
        masks = labels.astype("int64")
        masks[masks == mask_folders.IGNORED] = -1
        if masks.min() < -1:
            raise InputError(f"Expected {where} from 0, or 255 for pixels that do not count. Received: {masks.min()}")
        return Split(images, masks.astype("int32"))
    rows = labels.reshape(len(labels), 1) if labels.ndim == 1 else labels
    if rows.ndim != 2 or not np.isfinite(rows.astype("float64")).all():
        raise InputError(f"Expected {where} as finite numbers (n, outputs). Received: {labels.dtype} {labels.shape}")
    if task == "multi_label" and not np.isin(rows, (0, 1)).all():
        raise InputError(f"Expected {where} as 0 and 1. Received: {rows[~np.isin(rows, (0, 1))][0]}")
    return Split(images, rows.astype("float32"))
