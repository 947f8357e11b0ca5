"""The network of spectrograms and windows."""

import numpy as np
import pytest

import tflite
from distiller import models
from distiller.errors import InputError


def test_parameters_are_those_of_the_paper_s_layers():
    """Stem 10·4·64, four units of 9·64 + 64·64, the last layer 64·12 + 12, and 4 numbers per normalized channel."""
    network = models.build("ds_cnn", 12, (49, 10, 1))
    units = 4 * (9 * 64 + 64 * 64)
    assert models.parameters(network) == 10 * 4 * 64 + units + 64 * 12 + 12 + 4 * 64 * (1 + 2 * 4)
    assert network.get_layer("stage4").output.shape == (None, 25, 10, 64)


def test_a_window_of_six_channels_becomes_an_integer_file(tmp_path):
    network = models.build("ds_cnn", 3, (64, 6, 1), width=8, units=2)
    assert network.get_layer("stage2").output.shape == (None, 32, 6, 8)
    windows = np.random.default_rng(0).integers(0, 256, (40, 64, 6, 1)).astype("uint8")
    made = tflite.convert(network, tmp_path / "a.tflite", scheme="int8", representative=windows)
    assert tflite.compare(network, made.path, windows).mean_lsb < 2
    assert tflite.inspect(made.path).float_operators == ()


def test_no_channels_are_refused():
    with pytest.raises(InputError, match="`width` and `units` of 1 or more"):
        models.build("ds_cnn", 3, (64, 6, 1), width=0)
