"""Layers and operations that quantization-aware training serves: integer files that answer as the trained model."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.sequences import SEQUENCES, between, frames, image

import tflite
from tflite.model_file.interpreter import Runner


def positive(x):
    return ops.relu(x) + 0.5


def pooled(x):
    return layers.AveragePooling1D(2)(x)


def shared(x):
    layer = layers.MultiHeadAttention(2, 3)
    return layer(ops.tanh(layer(x, x)), x)


def steps_of_a_model(x):
    inner = keras.Sequential(
        [
            keras.Input((2, 6)),
            layers.Conv1D(4, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    return layers.TimeDistributed(inner)(frames(x))


def transposed(x):
    x = layers.Conv1DTranspose(4, 4, strides=3, output_padding=2, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def merged_transposed(x):
    parts = [layers.Conv2DTranspose(3, 2, activation="relu")(image(x)) for _ in range(2)]
    return layers.Concatenate()(parts)


# Each with the most steps of the output that the file and the model may differ by on average.
SERVED = {
    "clip": (lambda x: ops.clip(x, -0.5, 0.7), 0.02),
    "clip without zero": (lambda x: ops.clip(x, 0.1, 0.9), 0.02),
    "clip and more": (lambda x: ops.clip(x, -1, 1) + ops.relu(x), 0.6),
    "clip merged": (lambda x: ops.concatenate([ops.clip(x, 0, 1), x], -1), 0.02),
    "clip of averages": (lambda x: ops.clip(pooled(x), -1, 1), 0.3),
    "clipped": (lambda x: layers.ReLU(2.0)(layers.BatchNormalization()(layers.Conv1D(4, 3)(x))), 0.02),
    "hard_tanh": (ops.hard_tanh, 0.02),
    "sums": (lambda x: ops.sum(x, axis=1), 0.05),
    "least": (lambda x: ops.min(x, axis=1), 0.02),
    "exp": (ops.exp, 0.02),
    "exponential": (layers.Activation("exponential"), 0.02),
    "log": (lambda x: ops.log(positive(x)), 0.02),
    "log1p": (lambda x: ops.log1p(ops.relu(x)), 0.02),
    "expm1": (ops.expm1, 0.05),
    "sqrt": (lambda x: ops.sqrt(positive(x)), 0.8),
    "rsqrt": (lambda x: ops.rsqrt(positive(x)), 0.02),
    "abs": (ops.abs, 0.02),
    "square": (ops.square, 0.02),
    "negative": (ops.negative, 0.02),
    "reciprocal": (lambda x: ops.reciprocal(positive(x)), 0.1),
    "quotient": (lambda x: x / positive(x), 0.3),
    "stack": (lambda x: ops.stack([x, layers.Dense(6)(x)], axis=1), 0.02),
    "flip": (lambda x: ops.flip(x, 1), 0.02),
    "tile": (lambda x: ops.tile(x, (1, 1, 2)), 0.05),
    "take": (lambda x: ops.take(x, [1, 0, 3], axis=1), 0.02),
    "matmul": (lambda x: ops.matmul(x, ops.transpose(layers.Dense(6)(x), (0, 2, 1))), 0.1),
    "einsum": (lambda x: ops.einsum("btc,bsc->bts", x, layers.Dense(6)(x)), 0.1),
    "Dot": (lambda x: layers.Dot(axes=2)([x, layers.Dense(6)(x)]), 0.1),
    "Conv1DTranspose": (transposed, 0.02),
    "Conv2DTranspose": (merged_transposed, 0.3),
    "EinsumDense": (lambda x: layers.EinsumDense("...x,xy->...y", 4, bias_axes="y", activation="relu")(x), 0.02),
    "EinsumDense of heads": (lambda x: layers.EinsumDense("abc,ced->abde", (8, 2, 3), bias_axes="de")(x), 0.02),
    "EinsumDense along time": (lambda x: layers.EinsumDense("abc,bd->acd", (6, 4), bias_axes="d")(x), 0.02),
    "TimeDistributed": (lambda x: layers.TimeDistributed(layers.Dense(4, activation="swish"))(x), 0.02),
    "TimeDistributed convolution": (lambda x: layers.TimeDistributed(layers.SeparableConv1D(4, 2))(frames(x)), 0.02),
    "TimeDistributed model": (steps_of_a_model, 0.02),
    "MultiHeadAttention": (lambda x: layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)]), 0.3),
    "MultiHeadAttention to another": (
        lambda x: layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, use_bias=False, dropout=0.1)(
            x, layers.Dense(7)(x[:, :5])
        ),
        0.3,
    ),
    "MultiHeadAttention twice": (shared, 0.6),
    "Attention": (lambda x: layers.Attention(dropout=0.1)([x, layers.Dense(4)(x[:, :5]), x[:, 3:]]), 0.2),
    "three dimensions": (lambda x: layers.ZeroPadding3D(1)(layers.Reshape((4, 2, 2, 3))(x)), 0.02),
    "averages in three": (lambda x: layers.GlobalAveragePooling3D()(layers.Reshape((4, 2, 2, 3))(x)), 0.05),
    # Served before; their files averaged what was cut off already, by 3 to 16 steps.
    "rectified averages": (lambda x: ops.relu(pooled(x)), 0.3),
    "rectified averages, moved": (lambda x: ops.relu(layers.Reshape((3, 8))(pooled(x))), 0.3),
    "largest averages": (lambda x: ops.maximum(pooled(x), pooled(layers.Dense(6)(x))), 0.5),
}


def file_of(model, folder, scheme):
    """The quantization-aware model, its file, and the largest step of its outputs."""
    aware = tflite.quantize_aware(model, scheme=scheme)
    tflite.calibrate_ranges(aware, SEQUENCES)
    tflite.match_runtime(aware)
    return aware, tflite.convert(aware, folder / "a.tflite", scheme=scheme)


@pytest.mark.parametrize("name", SERVED)
def test_the_file_has_integers_alone_and_answers_as_the_model(name, tmp_path):
    make, most = SERVED[name]
    model = between(make)
    aware, made = file_of(model, tmp_path, "int8")
    assert tflite.inspect(made.path).is_integer
    expected, found = np.asarray(model(SEQUENCES)), np.asarray(aware(SEQUENCES))
    steps = np.abs(Runner(made.path)(SEQUENCES) - found) / made.output.scale
    assert steps.mean() <= most
    assert steps.max() < (6 if "twice" in name else 3)
    # And both as the network in floating point, which no fault that they share would.
    assert 0 < np.abs(found - expected).max() / np.ptp(expected) < 0.04


WIDE = (
    "sums",
    "exp",
    "quotient",
    "matmul",
    "Conv1DTranspose",
    "EinsumDense of heads",
    "MultiHeadAttention to another",
    "clip",
)


@pytest.mark.parametrize("name", WIDE)
def test_files_of_16_bits_answer_as_the_model(name, tmp_path):
    aware, made = file_of(between(SERVED[name][0]), tmp_path, "int16x8")
    assert tflite.inspect(made.path).is_integer
    expected = np.asarray(aware(SEQUENCES))
    assert np.abs(Runner(made.path)(SEQUENCES) - expected).max() / np.ptp(expected) < 5e-4


def test_attention_trains_and_keeps_its_weights(tmp_path):
    """Kernels are written as matrices with the same numbers; gradients reach each of them; a saved copy is the same."""
    model = between(SERVED["MultiHeadAttention"][0])
    aware = tflite.quantize_aware(model)
    for one, other in zip(aware.trainable_weights, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(np.ravel(one), np.ravel(other))
    aware.compile(keras.optimizers.SGD(0.1), "mse")
    aware.fit(SEQUENCES, np.random.default_rng(0).normal(size=(48, 5)), verbose=0)
    moved = [
        np.abs(np.ravel(one) - np.ravel(other)).max()
        for one, other in zip(aware.trainable_weights, model.trainable_weights, strict=True)
    ]
    # A bias of keys moves all scores of a query by one number, which changes no softmax.
    assert sum(most > 0 for most in moved) >= len(moved) - 1
    aware.save(tmp_path / "aware.keras")
    again = tflite.load_model(tmp_path / "aware.keras")
    np.testing.assert_allclose(again(SEQUENCES), aware(SEQUENCES), atol=1e-5)
