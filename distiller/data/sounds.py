"""Sounds and windows of other sensors as pictures of one colour, which every network and integer file here takes."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from distiller.data.class_names import check
from distiller.data.splits import Split, first_of_each
from distiller.errors import InputError

# Samples per second, and what a frame, the step between two frames and a sound have of them: 40, 20 and 1,000 ms.
RATE, FRAME, STEP, LENGTH = 16_000, 640, 320, 16_000
BANDS, LOWEST, HIGHEST = 40, 20.0, 7_600.0
# Decibels below a sine of full scale that are black.
FLOOR = -80.0
_AT_ONCE = 256
_PARTS = ("train", "val", "test")


def log_mel(signals: np.ndarray) -> np.ndarray:
    """Spectrograms of sounds as pictures: uint8 (n, frames, 40, 1), 49 frames of a second.

    A frame is 640 samples under a periodic Hann window, every 320 samples, without padding. Its powers, |FFT|² over
    (sum of the window / 2)², so that a sine of full scale has 1, are summed by 40 triangles between 20 and 7,600 Hz,
    even and straight in mel = 2595·log₁₀(1 + f / 700) (O'Shaughnessy 1987, Speech Communication), which are those of
    `tf.signal.linear_to_mel_weight_matrix`. A pixel is (10·log₁₀(sum) + 80) / 80 · 255, rounded and kept within
    0 … 255. An application computes the same before it asks the integer file.

    Args:
        signals: (n, samples) at 16,000 per second, floating-point numbers from −1 to 1.

    Raises:
        InputError: signals of another rank, shorter than a frame, or not finite.
    """
    signals = np.asarray(signals)
    if signals.ndim != 2 or signals.shape[1] < FRAME or signals.dtype.kind != "f" or not np.isfinite(signals).all():
        raise InputError(
            f"Expected sounds as finite floating-point numbers (n, {FRAME} samples or more). "
            f"Received: {signals.dtype} {signals.shape}"
        )
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    pictures = []
    for first in range(0, len(signals), _AT_ONCE):
        some = signals[first : first + _AT_ONCE].astype("float64")
        frames = np.lib.stride_tricks.sliding_window_view(some, FRAME, axis=1)[:, ::STEP]
        powers = np.abs(np.fft.rfft(frames * window)) ** 2 / (window.sum() / 2) ** 2
        decibels = 10 * np.log10(np.maximum(powers @ _triangles(), 1e-12))
        pictures.append(np.clip(np.rint((decibels - FLOOR) / -FLOOR * 255), 0, 255).astype("uint8")[..., None])
    return np.concatenate(pictures)


def windows(values: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """Windows of a sensor as pictures: uint8 (n, time, channels, 1), `low` black and `high` white, linear between.

    >>> import numpy as np
    >>> from distiller.data import sounds
    >>> sounds.windows(np.array([[[0.0, -2.0], [0.5, 2.0]]]), low=[0, -2], high=[1, 2])[0, :, :, 0]
    array([[  0,   0],
           [128, 255]], dtype=uint8)

    Args:
        values: (n, time, channels).
        low, high: a number, or one per channel; values beyond them are cut off, in the application too.

    Raises:
        InputError: values of another rank or not finite, or `high` that is not above `low`.
    """
    values, low, high = np.asarray(values, "float64"), np.asarray(low, "float64"), np.asarray(high, "float64")
    if values.ndim != 3 or not np.isfinite(values).all():
        raise InputError(f"Expected finite windows of shape (n, time, channels). Received: {values.shape}")
    if not (high > low).all():
        raise InputError(f"Expected `high` above `low`. Received: low={low.tolist()}, high={high.tolist()}")
    return np.clip(np.rint((values - low) / (high - low) * 255), 0, 255).astype("uint8")[..., None]


@lru_cache(maxsize=1)
def _triangles() -> np.ndarray:
    """Weights of the mel bands, (frequencies, bands)."""
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(FRAME, 1 / RATE)[:, None] / 700)
    lowest, highest = 2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)
    corners = np.linspace(lowest, highest, BANDS + 2)
    rising = (mel - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - mel) / (corners[2:] - corners[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def is_folder_of_sounds(folder: Path) -> bool:
    """Return whether the class folders of a folder hold WAV files."""
    return any(path.suffix.lower() == ".wav" for path in folder.glob("*/*")) or any(
        path.suffix.lower() == ".wav" for part in _PARTS for path in folder.glob(f"{part}/*/*")
    )


def read(folder: Path, validation: float | None, seed: int) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test sounds of class folders of WAV files, as by `log_mel`.

    Sounds are mixed to one channel, brought to 16,000 samples per second, and cut or filled with silence to a second.
    With the folders `train` and `test`, and perhaps `val`, that division stays; else a sixth is the test split. What is
    held out follows from the files' names.

    Raises:
        InputError: fewer than two classes, a class without enough sounds, or a file that cannot be read.
    """
    there = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    if there & set(_PARTS):
        if not {"train", "test"} <= there:
            raise InputError(f"Expected train and test in {str(folder)!r}. Received: {', '.join(sorted(there))}")
        found = {part: _listed(folder / part, seed) for part in _PARTS if part in there}
        classes = found["train"][3]
        for part, (_, _, _, theirs) in found.items():
            if theirs != classes:
                raise InputError(f"Expected the classes of train in {str(folder / part)!r}. Received: {list(theirs)}")
        train, test, held = found["train"][:3], found["test"][:3], found["val"][:3] if "val" in found else None
    else:
        *whole, classes = _listed(folder, seed)
        train, test = _hold_out(tuple(whole), 1 / 6)
        held = None
    if held is None and validation is not None:
        train, held = _hold_out(train, validation)
    return _split(train), None if held is None else _split(held), _split(test), classes


_Files = tuple[np.ndarray, np.ndarray, np.ndarray]  # paths, labels, and keys that order them


def _listed(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if len(classes) < 2:
        raise InputError(
            f"Expected two or more class folders in {str(folder)!r}. Received: {', '.join(classes) or 'none'}"
        )
    check(classes, str(folder))
    paths, labels = [], []
    for code, name in enumerate(classes):
        sounds = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() == ".wav")
        if len(sounds) < 3:
            raise InputError(f"Expected at least 3 sounds (.wav) in {str(folder / name)!r}. Received: {len(sounds)}")
        paths += sounds
        labels += [code] * len(sounds)
    keys = [hashlib.sha256(f"{seed} {path.relative_to(folder).as_posix()}".encode()).digest() for path in paths]
    listed = np.empty(len(paths), object)
    listed[:] = paths
    return listed, np.array(labels, "int32"), np.argsort(np.argsort(np.array(keys))), classes


def _hold_out(files: Any, share: float) -> tuple[_Files, _Files]:
    """The files that remain, and a share of each class."""
    paths, labels, keys = files
    held = first_of_each(labels, share, np.argsort(keys, kind="stable"))
    return (paths[~held], labels[~held], keys[~held]), (paths[held], labels[held], keys[held])


def _split(files: Any) -> Split:
    paths, labels, _ = files
    names = np.array([f"{path.parent.name}/{path.name}" for path in paths], object)
    return Split(log_mel(np.stack([_sound(path) for path in paths])), labels, names)


def _sound(path: Path) -> np.ndarray:
    """A second of a WAV file, float32 (16000,)."""
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    try:
        rate, signal = wavfile.read(path)
    except Exception as error:  # damage surfaces as errors of the parser and of Python's struct
        raise InputError(f"Could not read the sound {str(path)!r}: {error}") from error
    signal = np.asarray(signal)
    if signal.dtype.kind in "iu":
        middle, scale = (128, 128) if signal.dtype == np.uint8 else (0, -int(np.iinfo(signal.dtype).min))
        signal = (signal.astype("float64") - middle) / scale
    if signal.ndim == 2:
        signal = signal.mean(1)
    if rate != RATE:
        signal = resample_poly(signal, RATE, rate)
    whole = np.zeros(LENGTH, "float32")
    whole[: len(signal)] = signal[:LENGTH]
    return whole


CLASSES = ("rising", "falling", "low", "high", "warble", "clicks", "noise", "none")


def synthesised(per_class: int, seed: int) -> Split:
    """Sounds of a second that are made by formulas, with noise of −5 to 15 dB below them, as `log_mel` pictures.

    Eight classes: a tone that rises or falls by an octave and a half, a low or high one, one that warbles, clicks,
    a burst of noise, and none of these. Pitch, loudness, begin and length are drawn. It is no benchmark: it lets the
    whole way be tried without a download.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(CLASSES), dtype="int32"), per_class)
    pictures = [log_mel(np.stack(some)) for some in _blocks(labels, rng)]
    return Split(np.concatenate(pictures), labels)


def _blocks(labels: np.ndarray, rng: np.random.Generator) -> Iterator[list[np.ndarray]]:
    for first in range(0, len(labels), _AT_ONCE):
        yield [_made(CLASSES[label], rng) for label in labels[first : first + _AT_ONCE]]


def _made(kind: str, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(LENGTH) / RATE
    length = rng.uniform(0.3, 0.7)
    begin = rng.uniform(0, 1 - length)
    part = (time - begin) / length
    envelope = np.where((part > 0) & (part < 1), np.sin(np.pi * np.clip(part, 0, 1)) ** 2, 0.0)
    pitch = rng.uniform(300, 900)
    steady = np.ones(LENGTH)
    course = {
        "rising": pitch * 2 ** (1.5 * np.clip(part, 0, 1)),
        "falling": pitch * 2 ** (1.5 - 1.5 * np.clip(part, 0, 1)),
        "low": steady * rng.uniform(250, 600),
        "high": steady * rng.uniform(1500, 3000),
        "warble": 2 * pitch * (1 + 0.25 * np.sin(2 * np.pi * rng.uniform(4, 9) * time)),
    }
    if kind in course:
        sound = np.sin(2 * np.pi * np.cumsum(course[kind]) / RATE)
    elif kind == "clicks":
        since = np.mod(time, 1 / rng.uniform(6, 14))
        sound = np.exp(-since / 0.002) * np.sin(2 * np.pi * 2500 * since)
    else:
        sound = rng.normal(size=LENGTH) * 0.5
    loud = rng.uniform(0.05, 0.5)
    background = rng.normal(size=LENGTH) * loud * 10 ** (-rng.uniform(-5, 15) / 20) / np.sqrt(2)
    signal = background if kind == "none" else loud * envelope * sound + background
    return np.clip(signal, -1, 1).astype("float32")
