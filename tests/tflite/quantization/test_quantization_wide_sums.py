"""Sums of sequences with activations of 16 bits, after quantization-aware training."""

import numpy as np
import pytest
from keras import layers
from support.sequences import SEQUENCES, between

import tflite
from tflite.model_file.interpreter import Runner


def attended(x):
    return layers.MultiHeadAttention(2, 3)(x, x)


def block(x):
    """A block of a transformer, without its normalisation."""
    y = x + attended(x)
    return layers.Add()([y, layers.Dense(6)(layers.Dense(9, activation="relu")(y))])


SUMS = {
    "transformer": block,
    "two attentions, rectified": lambda x: layers.ReLU()(layers.Add()([attended(x), attended(x)])),
    "a rescaled branch first": lambda x: layers.Add()([layers.Dense(6)(layers.Rescaling(0.5)(x)), x]),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_around_dense_layers_of_sequences(name, tmp_path):
    """The converter refused them after the training: it moved a reshape behind the sum."""
    model = between(SUMS[name])
    aware = tflite.quantize_aware(model, scheme="int16x8")
    tflite.calibrate_ranges(aware, SEQUENCES)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int16x8")
    assert tflite.inspect(made.path).is_integer
    received, expected = Runner(made.path)(SEQUENCES), np.asarray(model(SEQUENCES))
    assert 0 < np.abs(received - expected).max() / np.ptp(expected) < 0.01
    assert np.abs(received - np.asarray(aware(SEQUENCES))).max() / np.ptp(expected) < 0.002


@pytest.mark.parametrize("make", [lambda: layers.GRU(4), lambda: layers.Bidirectional(layers.LSTM(3))])
def test_a_loop_is_refused_with_the_way_that_unrolls_it(make):
    with pytest.raises(tflite.ModelError, match=r"with unroll=True: tflite\.convert\(model, path, scheme='int8'"):
        tflite.quantize_aware(between(lambda x: make()(x)))
