"""Conversion: numbers against Keras and NumPy, bytes against each other, and every way to ask for it wrongly."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import tflite
from distiller import models
from tflite import ConversionError, ModelError
from tflite.model_file.interpreter import Runner

ROOT = Path(__file__).parents[3]


def logits(model, images):
    return np.asarray(model(images.astype("float32"), training=False))


def dense(bias=0.3):
    """A linear classifier of raw 4×4 pixels."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])
    model.layers[-1].bias.assign([bias, -bias, 2 * bias])
    return model


def small(activation="relu", **options):
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 64, -2)(inputs)
    x = layers.Conv2D(4, 3, **options)(x)
    x = layers.Activation(activation, name="bend")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)), name="small")


def digest(conversion):
    return hashlib.sha256(conversion.path.read_bytes()).hexdigest()


def test_float32_gives_the_outputs_of_keras(files, network, held_out):
    got = Runner(files["float32"].path)(held_out.images)
    np.testing.assert_allclose(got, logits(network, held_out.images), rtol=1e-4, atol=1e-4)


def test_float16_stores_weights_rounded_to_float16(tmp_path):
    model = dense()
    conversion = tflite.convert(model, tmp_path / "a.tflite", scheme="float16")
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1))
    kernel, bias = (w.astype("float16").astype("float64") for w in model.layers[-1].get_weights())
    np.testing.assert_allclose(Runner(conversion.path)(images), images.reshape(20, 16) @ kernel + bias, rtol=1e-4)


def test_int8_computes_what_integer_arithmetic_says(tmp_path):
    model = dense()
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 1)).astype("uint8")
    conversion = tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images)
    kernel, bias = model.layers[-1].get_weights()
    scale = np.abs(kernel).max(axis=0) / 127  # symmetric, one a channel
    integers = np.rint(kernel / scale)
    real = (images.reshape(200, 16).astype("int64") @ integers + np.rint(bias / scale)) * scale
    expected = np.clip(np.rint(real / conversion.output.scale) + conversion.output.zero_point, -128, 127)
    # A number in the middle between two integers may go either way.
    wrong = np.abs(Runner(conversion.path).integers(images) - expected)
    assert wrong.max() <= 1
    assert wrong.mean() < 0.01


def test_int8_is_integer_and_takes_raw_pixels(files):
    conversion = files["int8"]
    assert (conversion.input.dtype, conversion.input.scale, conversion.input.zero_point) == ("uint8", 1.0, 0)
    assert conversion.output.dtype == "int8"
    assert tflite.inspect(conversion.path).is_integer
    assert set(conversion.ops) == {"QUANTIZE", "MUL", "ADD", "CONV_2D", "MEAN", "FULLY_CONNECTED"}


def test_int8_pixels_are_exact_though_the_representative_images_are_dark(tmp_path, digits):
    conversion = tflite.convert(small(), tmp_path / "a.tflite", scheme="int8", representative=digits.images[:20] // 3)
    assert (conversion.input.scale, conversion.input.zero_point) == (1.0, 0)


def test_int8_agrees_with_the_float_network(files, network, held_out):
    got = Runner(files["int8"].path)(held_out.images).argmax(axis=1)
    assert np.mean(got == logits(network, held_out.images).argmax(axis=1)) > 0.98


@pytest.mark.parametrize(
    ("input_type", "output_type"),
    [("uint8", "uint8"), ("uint8", "float32"), ("int8", "int8"), ("float32", "float32")],
)
def test_int8_interfaces(tmp_path, input_type, output_type):
    model = dense()
    images = np.random.default_rng(0).integers(0, 256, (100, 4, 4, 1)).astype("uint8")
    conversion = tflite.convert(
        model,
        tmp_path / "a.tflite",
        scheme="int8",
        representative=images,
        input_type=input_type,
        output_type=output_type,
    )
    assert (conversion.input.dtype, conversion.output.dtype) == (input_type, output_type)
    reach = np.ptp(logits(model, images))
    np.testing.assert_allclose(Runner(conversion.path)(images), logits(model, images), atol=0.01 * reach)


def test_the_result_describes_the_file(files):
    for scheme, conversion in files.items():
        assert conversion.scheme == scheme
        assert conversion.bytes == conversion.path.stat().st_size
        assert conversion.input.shape == (1, 8, 8, 1)
        assert conversion.output.shape == (1, 10)
    assert files["int8"].bytes < 0.5 * files["float32"].bytes
    assert files["dynamic"].bytes < 0.5 * files["float32"].bytes
    assert files["float16"].bytes < 0.65 * files["float32"].bytes
    assert files["int8"].to_dict()["path"] == str(files["int8"].path)


def test_same_input_same_bytes_also_in_another_process(files, keras_file, digits, tmp_path):
    np.save(tmp_path / "images.npy", digits.images[:100])
    code = (
        "import sys, numpy, tflite\n"
        "tflite.convert(sys.argv[1], sys.argv[3], scheme='int8', representative=numpy.load(sys.argv[2]))\n"
        "tflite.convert(sys.argv[1], sys.argv[4])\n"
    )
    paths = [keras_file, tmp_path / "images.npy", tmp_path / "int8.tflite", tmp_path / "float32.tflite"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    call = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    # The network in memory has patched normalisation layers, the one from the file has Keras's own.
    assert paths[2].read_bytes() == files["int8"].path.read_bytes()
    assert paths[3].read_bytes() == files["float32"].path.read_bytes()
    assert call.stdout == b""
    assert call.stderr == b""


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_the_same_bytes(files, network, tmp_path, policy):
    mixed = models.build("resnet8", 10, (8, 8, 1), width=8, dtype=policy)
    mixed.set_weights(network.get_weights())
    conversion = tflite.convert(mixed, tmp_path / "a.tflite")
    assert digest(conversion) == digest(files["float32"])
    assert mixed.get_layer("stem_conv").compute_dtype == policy.removeprefix("mixed_")


def test_mixed_precision_inside_nested_models_and_wrappers(tmp_path):
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, dtype="mixed_bfloat16")])
    inputs = keras.Input((8, 8, 1))
    x = layers.TimeDistributed(layers.Dense(2, dtype="mixed_bfloat16"), dtype="mixed_bfloat16")(inner(inputs) / 255.0)
    model = keras.Model(inputs, layers.Dense(2, dtype="mixed_bfloat16")(layers.Flatten()(x)))
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1))
    first, second, third = (w.astype("float64") for w in model.get_weights() if w.ndim > 1)
    patches = np.lib.stride_tricks.sliding_window_view(images[..., 0], (3, 3), axis=(1, 2)) / 255.0
    expected = np.einsum("bhwij,ijc->bhwc", patches, first[:, :, 0]) @ second
    conversion = tflite.convert(model, tmp_path / "a.tflite")
    np.testing.assert_allclose(Runner(conversion.path)(images), expected.reshape(5, -1) @ third, rtol=1e-3, atol=1e-4)


def test_global_policy_does_not_enter_the_file(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
        conversion = tflite.convert(model, tmp_path / "a.tflite")
    finally:
        keras.config.set_dtype_policy("float32")
    plain = small()
    plain.set_weights(model.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1))
    np.testing.assert_allclose(Runner(conversion.path)(images), logits(plain, images), rtol=1e-4, atol=1e-4)


def test_model_and_images_stay_as_they_were(digits, tmp_path):
    model, images = small(), digits.images[:10].astype("float32") / 2
    weights, config, kept = model.get_weights(), model.get_config(), images.copy()
    tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images)
    assert model.get_config() == config
    np.testing.assert_array_equal(images, kept)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_operations_and_dropout_in_the_graph(tmp_path):
    inputs = keras.Input((8, 8, 1))
    x = layers.Dropout(0.5)(inputs * 2.0 + 1.0)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(keras.ops.relu(x))))
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1))
    conversion = tflite.convert(model, tmp_path / "a.tflite")
    np.testing.assert_allclose(Runner(conversion.path)(images), logits(model, images), rtol=1e-4)


@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize("inside", [False, True])
def test_what_a_normalization_was_adapted_to_is_in_the_file(scheme, inside, tmp_path):
    keras.utils.set_random_seed(1)
    images = np.random.default_rng(0).integers(20, 200, (100, 4, 4, 2))
    norm = layers.Normalization()
    norm.adapt(images.astype("float32"))
    outer = layers.TimeDistributed(norm) if inside else norm
    model = keras.Sequential([keras.Input((4, 4, 2)), outer, layers.Flatten(), layers.Dense(3)])
    normalized = (images - images.mean(axis=(0, 1, 2))) / images.std(axis=(0, 1, 2))
    expected = normalized.reshape(100, 32) @ model.get_weights()[-2]
    given = images if scheme == "int8" else None
    made = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme, representative=given)
    np.testing.assert_allclose(Runner(made.path)(images), expected, atol=0.02 * np.ptp(expected))


@pytest.mark.parametrize("kind", [layers.GRU, layers.LSTM])
def test_an_unrolled_recurrent_layer_becomes_integer_every_time(kind, tmp_path):
    """The converter leaves an operator in floating point in about half of all calls."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, layers.Dense(3)(kind(4, unroll=True)(inputs)))
    images = np.random.default_rng(0).random((20, 6, 4)).astype("float32")
    options = {"scheme": "int8", "representative": images, "input_type": "int8"}
    made = {tflite.convert(model, tmp_path / "a.tflite", **options).path.read_bytes() for _ in range(6)}
    assert len(made) == 1
    assert tflite.inspect(tmp_path / "a.tflite").is_integer
    outputs = Runner(tmp_path / "a.tflite")
    received = outputs.output.dequantize(outputs.integers(images))
    exact = np.asarray(model(images))
    np.testing.assert_allclose(received, exact, atol=0.1 * np.abs(exact).max())


def test_one_output_in_a_dictionary_has_the_name_of_all(tmp_path):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, {"logits": layers.Dense(3)(layers.Flatten()(inputs))})
    made = tflite.convert(model, tmp_path / "a.tflite")
    signatures = Interpreter(model_path=str(made.path)).get_signature_list()
    assert signatures == {"serve": {"inputs": ["pixels"], "outputs": ["output_0"]}}
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1))
    expected = images.reshape(20, 16) @ model.get_weights()[0]
    np.testing.assert_allclose(Runner(made.path)(images), expected, rtol=1e-4, atol=1e-3)
    found = tflite.compare(model, made.path, images, layers=True)
    assert (found.agreement, found.first) == (1.0, None)
    assert found.max_error < 1e-3


def test_representative_images_come_in_many_ways(digits, tmp_path):
    import tensorflow as tf

    images, labels = digits.images[:20], digits.labels[:20]
    model = small()
    expected = digest(tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images))
    for given in [
        [images[:10], images[10:]],
        ((images[i : i + 5], labels[i : i + 5]) for i in range(0, 20, 5)),
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(8),
        [images],
        {"pixels": images},
        lambda: ([image[None]] for image in images),
        lambda: ({"pixels": image[None]} for image in images),
        lambda: (("serve", {"pixels": image[None]}) for image in images),
        lambda: [(images[:10],), (images[10:],)],
        lambda: images,
    ]:
        assert digest(tflite.convert(model, tmp_path / "b.tflite", scheme="int8", representative=given)) == expected


def test_no_noise_on_the_streams(digits, tmp_path, capfd):
    tflite.convert(small(), tmp_path / "a.tflite", scheme="int8", representative=digits.images[:5])
    assert capfd.readouterr() == ("", "")


def test_a_float_operator_in_an_int8_file_is_named_and_nothing_is_written(digits, tmp_path):
    with pytest.raises(ConversionError, match=r"floating-point ones: 1× ELU; layers 'bend'"):
        tflite.convert(small("elu"), tmp_path / "a.tflite", scheme="int8", representative=digits.images[:5])
    assert list(tmp_path.iterdir()) == []


def test_a_failing_converter_leaves_the_old_file(tmp_path):
    class Cholesky(layers.Layer):
        def call(self, x):
            return keras.ops.linalg.cholesky(x[..., 0])

    path = tmp_path / "a.tflite"
    path.write_bytes(b"old")
    inputs = keras.Input((8, 8, 1))
    with pytest.raises(ConversionError, match=r"Could not convert 'hard' to float32: .*Cholesky"):
        tflite.convert(keras.Model(inputs, Cholesky()(inputs), name="hard"), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ModelError, match=r"Could not write '.*a\.tflite': No space left on device"):
        tflite.convert(small(), tmp_path / "a.tflite")
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_ordinary_permissions(tmp_path):
    other = tmp_path / "other"
    other.touch()
    path = tflite.convert(small(), tmp_path / "a.tflite").path
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_unwritable_paths(tmp_path):
    with pytest.raises(ModelError, match=r"the folder '.*nowhere' does not exist"):
        tflite.convert(small(), tmp_path / "nowhere" / "a.tflite")
    with pytest.raises(ModelError, match="which is a folder"):
        tflite.convert(small(), tmp_path)


def test_a_model_with_a_loss_of_ones_own(tmp_path):
    """What it was trained with has no part in the file, and it keeps it."""

    def own(labels, answers):
        return keras.ops.mean((labels - answers) ** 2, axis=-1)

    model = small()
    model.compile("adam", loss=own, metrics=[own])
    made = tflite.convert(model, tmp_path / "a.tflite")
    assert model.compiled
    assert made.ops == ("CONV_2D", "RESHAPE", "FULLY_CONNECTED")


def test_arguments(digits, tmp_path):
    path, images = tmp_path / "a.tflite", digits.images[:5]
    for options, message in [
        ({"scheme": "int-8"}, r"`scheme`.*Received: scheme='int-8'. Did you mean 'int8'\?"),
        ({"scheme": "int8"}, "Expected `representative` images for scheme='int8'. Received: None"),
        (
            {"scheme": "float16", "representative": images},
            "only with scheme='int8' or scheme='int16x8' or scheme='int4'. Received: scheme='float16'",
        ),
        ({"input_type": "uint8"}, r"`input_type`. Expected one of \['float32'\].*with scheme='float32'"),
        ({"scheme": "int8", "output_type": "int16"}, r"`output_type`. Expected one of \['int8', 'uint8', 'float32'\]"),
        ({"scheme": "int8", "representative": images / 255}, r"raw pixels in \[0, 255\].*values in \[0, 1\]"),
        ({"scheme": "int8", "representative": images - 100.0}, r"raw pixels in \[0, 255\].*\[-100, 155\]"),
        ({"scheme": "int8", "representative": images[..., 0]}, r"shape \(n, 8, 8, 1\). Received: \(5, 8, 8\)"),
        ({"scheme": "int8", "representative": images[:0]}, r"shape \(n, 8, 8, 1\). Received: \(0,"),
        ({"scheme": "int8", "representative": images * np.nan}, "Expected finite"),
        (
            {"scheme": "int8", "representative": [{"a": images, "b": images}]},
            r"Expected images for one input. Received: \['a', 'b'\]",
        ),
        ({"scheme": "int8", "representative": lambda batch: images}, "a function without arguments that returns"),
        ({"scheme": "int8", "calibration": images}, "images in `representative`. Received:.*ndarray"),
        ({"scheme": "int8", "representative": 3}, "iterable of batches. Received: int"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.convert(small(), path, **options)
    assert list(tmp_path.iterdir()) == []
