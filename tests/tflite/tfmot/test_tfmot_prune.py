"""Pruning: the zeros that were asked for, kept through quantization into the file of integers."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from distiller import Distiller, objectives
from tflite import ModelError
from tflite.model_file.interpreter import open_model

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SPARSITY = 0.7
STEPS = 20


def network(name="network"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(8, 3, use_bias=False, name="first")(layers.Rescaling(1 / 64, -2.0, name="scale")(inputs))
    x = layers.ReLU(name="relu")(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D(name="features")(layers.Conv2D(16, 1, name="second")(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)


def zeros(model):
    """Name of a kernel → the share of zeros."""
    return {w.path.split("/")[0]: float(np.mean(np.asarray(w) == 0)) for w in model.weights if w.name == "kernel"}


def asked(model, sparsity=SPARSITY):
    """The share of zeros nearest to the one that is asked for: a kernel has whole numbers of weights."""
    sizes = {w.path.split("/")[0]: np.asarray(w).size for w in model.weights if w.name == "kernel"}
    return {name: 1 - round(size * (1 - sparsity)) / size for name, size in sizes.items()} | {"depthwise": 0.0}


def fit(model, digits, steps=STEPS, **options):
    images, labels = digits.images[: 20 * steps].astype("float32"), digits.labels[: 20 * steps]
    return model.fit(images, labels, batch_size=20, verbose=0, **options)


@pytest.fixture(scope="module")
def pruned(digits):
    """The student of a Distiller, pruned while it learned."""
    student = tflite.prune(network(), final_sparsity=SPARSITY, end_step=STEPS)
    objective = {"soft": objectives.Hinton(temperature=4.0)}
    learner = Distiller(teacher=network(), student=student, objectives=objective)
    learner.compile(keras.optimizers.Adam(0.01), loss=LOSS)
    fit(learner, digits, callbacks=[tflite.PruningStep()])
    return student


def test_the_sparsity_is_the_one_that_was_asked_for(pruned):
    model = tflite.plain(pruned)
    assert zeros(model) == pytest.approx(asked(model), abs=1e-7)


def test_the_plain_model_is_the_first_one_with_other_weights(pruned, digits):
    model, first = tflite.plain(pruned), network()
    assert json.loads(model.to_json()) == json.loads(first.to_json())
    images = digits.images[:50].astype("float32")
    expected = np.asarray(pruned(images, training=False))
    np.testing.assert_allclose(model(images, training=False), expected, rtol=0, atol=3e-6 * np.abs(expected).max())
    assert not any(np.array_equal(one, other) for one, other in zip(model.weights, first.weights, strict=True))


def test_zeros_are_the_smallest_weights():
    model = network()
    pruned = tflite.prune(model, initial_sparsity=0.5, final_sparsity=0.9, end_step=1000, frequency=1)
    pruned.compile(keras.optimizers.SGD(0.0), LOSS)
    pruned.fit(np.zeros((1, 8, 8, 1)), np.zeros(1), verbose=0)
    for before, after in zip(model.weights, tflite.plain(pruned).weights, strict=True):
        if before.name == "kernel" and before.path.split("/")[0] != "depthwise":
            before, after = np.ravel(before), np.ravel(after)
            # Of the first step: 0.9 - 0.4 · (1 - 1/1000)³.
            count = round(before.size * (1 - (0.9 - 0.4 * 0.999**3)))
            largest = np.argsort(-np.abs(before))[:count]
            np.testing.assert_array_equal(np.flatnonzero(after), np.sort(largest))
            np.testing.assert_array_equal(after[largest], before[largest])


def test_the_schedule(digits):
    pruned = tflite.prune(
        network(), initial_sparsity=0.2, final_sparsity=0.8, begin_step=4, end_step=14, frequency=3, exclude=["log*"]
    )
    pruned.compile("sgd", LOSS)
    found = []
    for _ in range(16):
        pruned.train_on_batch(digits.images[:5].astype("float32"), digits.labels[:5])
        found.append(zeros(tflite.plain(pruned))["second"])
    # 3 does not divide the 10 steps; 2 does, and the last of them is step 14.
    size, expected = 8 * 16, []
    for step in range(1, 17):
        at = min(step - step % 2, 14)
        share = 0.8 + (0.2 - 0.8) * (1 - (at - 4) / 10) ** 3 if at >= 4 else 0.0
        expected.append(1 - round(size * (1 - share)) / size)
    assert found == pytest.approx(expected, abs=1e-6)
    assert zeros(tflite.plain(pruned))["logits"] == 0


def test_masks_are_on_after_an_epoch_and_the_step_can_be_set(digits):
    pruned = tflite.prune(network(), final_sparsity=0.5, end_step=10, frequency=1)
    pruned.compile(keras.optimizers.SGD(0.1), LOSS)
    fit(pruned, digits, steps=2, callbacks=[tflite.PruningStep(step=8)])
    kernels = {w.name: np.asarray(w) for w in pruned.trainable_weights if "kernel" in w.name}
    assert np.mean(kernels["second.kernel"] == 0) == 0.5
    assert np.mean(kernels["depthwise.depthwise_kernel"] == 0) == 0


def test_it_goes_on_after_loading(pruned, digits, tmp_path):
    pruned.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    images = digits.images[:20].astype("float32")
    np.testing.assert_array_equal(loaded(images, training=False), pruned(images, training=False))
    loaded.compile(keras.optimizers.Adam(0.01), LOSS)
    fit(loaded, digits, steps=2)  # without the callback: `plain` puts the masks on
    before, after = tflite.plain(pruned), tflite.plain(loaded)
    assert zeros(after) == zeros(before)
    assert not np.array_equal(after.weights[0], before.weights[0])


def integer_zeros(path):
    """Shape of a kernel in a file → the share of its integers that are zero."""
    interpreter = open_model(path)
    interpreter.allocate_tensors()
    found = {}
    for operator in tflite.inspect(path).operators:
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            kernel = interpreter.get_tensor(operator.inputs[1].index)
            assert operator.inputs[1].constant
            assert kernel.dtype == np.int8
            found[kernel.shape] = float(np.mean(kernel == 0))
    return found


def test_zeros_stay_through_quantization_into_the_file(pruned, digits, tmp_path):
    model = tflite.plain(pruned)
    # A loaded model must know the zeros as well.
    tflite.quantize_aware(model, engine="tfmot", preserve="sparsity").save(tmp_path / "aware.keras")
    aware = keras.models.load_model(tmp_path / "aware.keras")
    aware.compile(keras.optimizers.Adam(0.01), LOSS)
    fit(aware, digits, steps=5)
    made = tflite.convert(aware, tmp_path / "sparse.tflite", scheme="int8")
    assert tflite.compare(aware, made.path, digits.images[1000:]).agreement > 0.98
    expected = asked(model)
    found = integer_zeros(made.path)
    shapes = {"first": (8, 3, 3, 1), "second": (16, 1, 1, 8), "logits": (10, 16)}
    assert found.keys() == set(shapes.values())
    for name, shape in shapes.items():
        # A small weight may be rounded to zero as well.
        assert expected[name] - 1e-7 <= found[shape] <= expected[name] + 0.04


def test_models_with_masks_are_not_for_files_nor_for_quantization(pruned, tmp_path):
    for call in (
        lambda: tflite.convert(pruned, tmp_path / "a.tflite"),
        lambda: tflite.quantize_aware(pruned),
        lambda: tflite.quantize_aware(pruned, engine="tfmot"),
    ):
        with pytest.raises(ModelError, match=r"plain model. Received: 'network' of tflite.prune. Use tflite.plain"):
            call()
    for other in (network("other"), tflite.plain(pruned)):
        with pytest.raises(ModelError, match=r"Expected a model of tflite.prune or tflite.cluster. Received: '"):
            tflite.plain(other)
    with pytest.raises(ModelError, match="Received: int"):
        tflite.plain(3)


def test_the_callback_needs_a_pruned_model(digits):
    model = network()
    model.compile("sgd", LOSS)
    with pytest.raises(
        ModelError, match=r"Expected a model of tflite.prune. Received: 'network' without a pruned layer"
    ):
        fit(model, digits, steps=1, callbacks=[tflite.PruningStep()])
    with pytest.raises(ModelError, match=r"`step`. Expected at least 0. Received: step=-1"):
        tflite.PruningStep(step=-1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"final_sparsity": 1.0}, r"`final_sparsity`. Expected a share in \[0, 1\). Received: final_sparsity=1.0"),
        ({"initial_sparsity": -0.1}, "`initial_sparsity`"),
        ({"end_step": 0}, "0 ≤ begin_step < end_step. Received: begin_step=0, end_step=0"),
        ({"begin_step": -1}, "Received: begin_step=-1"),
        ({"frequency": 0}, "`frequency`. Expected at least 1. Received: frequency=0"),
        ({"exclude": ["frist"]}, r"`exclude`.*Received: exclude='frist'. Did you mean 'first'\?"),
        ({"exclude": ["first", "second", "logits"]}, "layer to be pruned. Received: 'network', where none"),
    ],
)
def test_options(options, message):
    with pytest.raises(ModelError, match=message):
        tflite.prune(network(), **{"final_sparsity": 0.5, "end_step": 10, **options})
