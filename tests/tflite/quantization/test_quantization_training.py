"""Training of quantization-aware models: ranges, precision, compilation, saving, and as a Distiller's student."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from distiller import Distiller, models, objectives
from tflite.quantization.ranges import fake_quants

ROOT = Path(__file__).parents[3]
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def small(dtype="float32"):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((6, 6, 1), name="pixels")
    x = layers.Conv2D(4, 3, use_bias=False, dtype=dtype, name="conv")(inputs)
    x = layers.ReLU(dtype=dtype, name="relu")(layers.BatchNormalization(dtype=dtype, name="norm")(x))
    x = layers.Flatten(name="flat", dtype=dtype)(x)
    return keras.Model(inputs, layers.Dense(3, dtype="float32", name="logits")(x), name="small")


def data(n=24):
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    return (random.normal(size=(n, 6, 6, 1)) + labels[:, None, None, None]).astype("float32"), labels


def fitted(model, *, epochs=1, **options):
    model.compile(keras.optimizers.SGD(0.05), LOSS, **options)
    images, labels = data()
    model.fit(images, labels, batch_size=8, epochs=epochs, verbose=0, shuffle=False)
    return model


def test_the_first_batch_sets_a_range_and_an_average_follows():
    aware = tflite.quantize_aware(small(), momentum=0.9)
    images, labels = data()
    aware.compile(keras.optimizers.SGD(0.0), LOSS)
    layer = fake_quants(aware)[0]
    expected = None
    for start in (0, 8, 16):
        batch = images[start : start + 8]
        aware.train_on_batch(batch, labels[start : start + 8])
        low, high = min(0.0, float(batch.min())), float(batch.max())
        expected = (
            (low, high)
            if expected is None
            else tuple(old + 0.1 * (new - old) for old, new in zip(expected, (low, high), strict=True))
        )
        np.testing.assert_allclose(layer.range(), expected, rtol=1e-5)
    before = layer.range()
    aware(images, training=False)
    aware.evaluate(images, labels, verbose=0)
    assert layer.range() == before
    relu = aware.get_layer("relu_quantized")
    assert relu.range()[0] == 0.0
    layer.trainable = False
    aware.compile(keras.optimizers.SGD(0.0), LOSS)
    aware.train_on_batch(10 * images, labels)
    assert layer.range() == before
    assert relu.range()[1] > 0.0


def test_training_moves_the_exact_weights_as_the_gradient_of_the_rounded_ones_says():
    """One layer, by hand: the kernel moves by the gradient at its rounded value, by less than a step of the grid."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="dense")(inputs))
    kernel = np.array([[0.5], [-1.0], [0.003], [0.26]], "float32")
    model.get_layer("dense").set_weights([kernel])
    aware = tflite.quantize_aware(model, scheme="dynamic")
    x, y = np.random.default_rng(1).normal(size=(16, 4)).astype("float32"), np.ones((16, 1), "float32")
    aware.compile(keras.optimizers.SGD(0.001), "mse")
    aware.train_on_batch(x, y)
    on_grid = np.rint(kernel * 127.0) / 127
    gradient = 2 * x.T @ (x @ on_grid - y) / 16
    np.testing.assert_allclose(aware.get_layer("dense").get_weights()[0], kernel - 0.001 * gradient, rtol=1e-4)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 3}])
def test_ways_of_compiling_agree(options):
    plain = fitted(tflite.quantize_aware(small()), jit_compile=False)
    other = fitted(tflite.quantize_aware(small()), **options)
    for one, two in zip(plain.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_rounds_kernels_and_ranges_in_float32(policy, tmp_path):
    aware = fitted(tflite.quantize_aware(small(policy)))
    conv, norm = aware.get_layer("conv"), aware.get_layer("relu_quantized")
    assert conv.compute_dtype == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(conv.kernel.dtype) == "float32"
    assert keras.backend.standardize_dtype(norm.low.dtype) == "float32"
    # A number that the narrow type does not have: the kernel was not cast before it was rounded.
    kernel = np.full((3, 3, 1, 4), 0.1, "float32")
    kernel[0, 0] = 1.0 + 2**-12
    conv.kernel.assign(kernel)
    step = float(kernel.max()) / 127
    np.testing.assert_allclose(np.asarray(conv.rounded_kernel())[1, 1], np.rint(0.1 / step) * step, rtol=1e-6)
    images, _ = data()
    assert np.isfinite(np.asarray(aware(images))).all()
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    assert tflite.inspect(made.path).is_integer


def test_saved_loaded_and_cloned_models_train_on(tmp_path):
    aware = fitted(tflite.quantize_aware(small()))
    images, labels = data()
    expected = np.asarray(aware(images))
    with warnings.catch_warnings():
        # Keras's own arrays, as h5py reads them.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        aware.save(tmp_path / "aware.keras")
        loaded = keras.models.load_model(tmp_path / "aware.keras")
    cloned = keras.models.clone_model(aware)
    cloned.set_weights(aware.get_weights())
    for model in (loaded, cloned):
        np.testing.assert_allclose(np.asarray(model(images)), expected, atol=1e-5)
        assert [layer.range() for layer in fake_quants(model)] == [layer.range() for layer in fake_quants(aware)]
    again = [float(model.train_on_batch(images, labels)) for model in (aware, loaded)]
    np.testing.assert_allclose(*again, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(loaded(images)), np.asarray(aware(images)), atol=1e-4)
    files = [tflite.convert(model, tmp_path / f"{n}.tflite", scheme="int8") for n, model in enumerate((aware, loaded))]
    assert files[0].bytes == files[1].bytes


def test_a_file_of_an_aware_model_converts_in_a_new_process(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        fitted(tflite.quantize_aware(small())).save(tmp_path / "aware.keras")
    code = "import sys, tflite; print(tflite.convert(sys.argv[1], sys.argv[2], scheme='int8').scheme)"
    call = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "aware.keras"), str(tmp_path / "a.tflite")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert call.stdout == b"int8\n"


def test_two_replicas_share_their_ranges(tmp_path):
    code = """if True:
        import json, keras, numpy as np, tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        import tflite
        from tflite.quantization.ranges import fake_quants
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            inputs = keras.Input((4,))
            aware = tflite.quantize_aware(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
            aware.compile(keras.optimizers.SGD(0.1), "mse")
        x = np.array([[-1, 0, 0, 2], [-3, 0, 0, 4]], "float32")
        aware.fit(x, np.zeros((2, 2)), batch_size=2, verbose=0)
        aware.fit(x, np.zeros((2, 2)), batch_size=2, verbose=0, callbacks=[tflite.FreezeRanges(step=0)])
        print(json.dumps([strategy.num_replicas_in_sync, *fake_quants(aware)[0].range()]))
    """
    call = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert call.returncode == 0, call.stderr[-2000:]
    # Each replica saw one row: the range is the mean of theirs.
    assert call.stdout.split("\n")[-2] == "[2, -2.0, 3.0]"


def test_a_student_of_a_distiller_with_taps(tmp_path):
    teacher = models.build("resnet8", 3, (8, 8, 1), width=8)
    aware = tflite.quantize_aware(models.build("resnet8", 3, (8, 8, 1), width=8))
    distiller = Distiller(
        teacher=teacher,
        student=aware,
        objectives={
            "soft": objectives.Hinton(),
            "hint": objectives.Hint(teacher_layer="stage2", student_layer="stage2"),
        },
    )
    distiller.compile(keras.optimizers.SGD(0.01), loss=LOSS)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype("float32")
    history = distiller.fit(images, np.arange(16) % 3, batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(layer.range() is not None for layer in fake_quants(distiller.student))
    made = tflite.convert(distiller.student, tmp_path / "student.tflite", scheme="int8")
    assert tflite.inspect(made.path).is_integer
    assert (made.input.dtype, made.input.scale) == ("uint8", 1.0)


def test_the_faster_kernel_of_a_layer_goes_along():
    """`models.fuse` changes how the normalisation of a network computes; its aware copy computes so too."""
    network = models.build("resnet8", 3, (8, 8, 1), width=8)
    aware = tflite.quantize_aware(network)
    norm = aware.get_layer("stem_norm")
    assert vars(norm)["call"].__func__ is vars(network.get_layer("stem_norm"))["call"].__func__
    assert vars(norm)["call"].__self__ is norm
