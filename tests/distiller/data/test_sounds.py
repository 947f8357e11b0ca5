"""Sounds and windows as pictures: against SciPy's spectrum, TensorFlow's mel bands and numbers by hand."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.io import wavfile
from scipy.signal import spectrogram

from distiller import data
from distiller.data import sounds
from distiller.errors import InputError


def test_a_spectrogram_is_that_of_scipy_in_the_bands_of_tensorflow():
    rng = np.random.default_rng(0)
    signal = (rng.normal(size=16_000) * np.geomspace(1e-4, 0.3, 16_000)).astype("float32")
    _, _, powers = spectrogram(
        signal.astype("float64"), 16_000, "hann", 640, 320, detrend=False, scaling="spectrum", mode="psd"
    )
    bands = tf.signal.linear_to_mel_weight_matrix(40, 321, 16_000, 20.0, 7_600.0, tf.float64).numpy()
    # One side of a spectrum has the power of both, half the square of a sine's amplitude.
    decibels = 10 * np.log10(np.maximum(2 * powers.T @ bands, 1e-12))
    expected = np.clip((decibels + 80) / 80 * 255, 0, 255)
    found = sounds.log_mel(signal[None])
    assert found.shape == (1, 49, 40, 1)
    assert expected.std() > 20
    np.testing.assert_allclose(found[0, :, :, 0], expected, atol=0.501)


def test_a_sine_of_full_scale_is_white_in_its_band_alone():
    """At 1,000 Hz, the 41st of 25 Hz steps: the band whose middle is nearest in mel holds most of it."""
    signal = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype("float32")
    frame = sounds.log_mel(signal[None])[0, 20, :, 0]
    middles = np.linspace(*2595 * np.log10(1 + np.array([20, 7600]) / 700), 42)[1:-1]
    nearest = np.abs(middles - 2595 * np.log10(1 + 1000 / 700)).argmin()
    assert frame.argmax() == nearest
    assert frame[nearest] >= 245
    assert (frame[np.abs(np.arange(40) - nearest) > 3] == 0).all()


@pytest.mark.parametrize("signal", [np.zeros((2, 16_000), "int16"), np.zeros((2, 100)), np.full((1, 16_000), np.nan)])
def test_other_signals_are_refused(signal):
    with pytest.raises(InputError, match="Expected sounds as finite floating-point numbers"):
        sounds.log_mel(signal)


def test_windows_of_a_sensor():
    values = np.array([[[-9.81, 0.0], [0.0, 3.0]], [[9.81, -3.0], [20.0, 1.5]]])
    found = sounds.windows(values, low=[-9.81, -3], high=[9.81, 3])
    np.testing.assert_array_equal(found[..., 0], [[[0, 128], [128, 255]], [[255, 0], [255, 191]]])
    with pytest.raises(InputError, match="`high` above `low`"):
        sounds.windows(values, low=1, high=1)
    with pytest.raises(InputError, match=r"\(n, time, channels\)\. Received: \(2, 2\)"):
        sounds.windows(values[0], low=0, high=1)


@pytest.fixture
def folder(tmp_path):
    """Two classes of six tones each, in several forms of WAV files: 16 and 32 bits, bytes, floats, stereo, 8 kHz."""
    for name, pitch in (("low", 400), ("high", 2000)):
        (tmp_path / name).mkdir()
        for place in range(6):
            rate = 8_000 if place == 5 else 16_000
            signal = 0.5 * np.sin(2 * np.pi * pitch * np.arange(rate) / rate)
            stored = [
                (signal * 32_768).astype("int16"),
                (signal * 2**31).astype("int32"),
                (signal * 128 + 128).astype("uint8"),
                signal.astype("float32"),
                np.stack([signal, signal], axis=1).astype("float32"),
                signal.astype("float32"),
            ][place]
            wavfile.write(tmp_path / name / f"{place}.wav", rate, stored)
    return tmp_path


def test_every_form_of_a_sound_is_the_same_picture(folder):
    found = data.load(folder, validation=0.2)
    assert found.classes == ("high", "low")
    assert [len(split) for split in (found.train, found.validation, found.test)] == [8, 2, 2]
    for code in (0, 1):
        pictures = np.concatenate(
            [split.images[split.labels == code] for split in (found.train, found.validation, found.test)]
        )
        loudest = pictures[:, 5:40].max(axis=2)
        assert (loudest > 230).all()
        assert np.ptp(loudest.astype(int), axis=0).max() <= 3
    names = {name for split in (found.train, found.validation, found.test) for name in split.known_names()}
    assert names == {f"{name}/{place}.wav" for name in ("low", "high") for place in range(6)}


def test_broken_and_missing_sounds_are_named(folder):
    (folder / "low" / "0.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(InputError, match=r"Could not read the sound '.*low/0\.wav'"):
        data.load(folder)
    for place in range(4):
        (folder / "high" / f"{place}.wav").unlink()
    with pytest.raises(InputError, match=r"at least 3 sounds \(\.wav\) in '.*high'\. Received: 2"):
        data.load(folder)


def test_synthesised_sounds_are_the_same_every_time_and_can_be_told_apart():
    first, again = sounds.synthesised(3, seed=5), sounds.synthesised(3, seed=5)
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != sounds.synthesised(3, seed=6).images).any()
    assert first.labels.tolist() == [code for code in range(8) for _ in range(3)]
    many = sounds.synthesised(12, seed=1)
    loudest = many.images[..., 0].max(axis=1).argmax(axis=1)  # band
    low, high = (loudest[many.labels == sounds.CLASSES.index(name)] for name in ("low", "high"))
    assert np.median(low) + 5 < np.median(high)
