"""Weight clustering: as many distinct numbers as were asked for, kept through quantization into the file."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite import ModelError
from tflite.model_file.interpreter import open_model

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CLUSTERS = 6


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, use_bias=False, name="first")(layers.Rescaling(1 / 64, -2.0)(inputs))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(1, 1, name="tiny")(layers.Conv2D(4, 1, name="second")(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)), name="network")


@pytest.fixture(scope="module")
def clustered(network, digits):
    model = tflite.cluster(network, clusters=CLUSTERS)
    model.compile(keras.optimizers.Adam(1e-3), LOSS)
    fit(model, digits, 10)
    return model


def fit(model, digits, steps):
    images, labels = digits.images[: 20 * steps].astype("float32"), digits.labels[: 20 * steps]
    return model.fit(images, labels, batch_size=20, verbose=0).history["loss"]


def kernels(model):
    return {w.path.split("/")[0]: np.asarray(w) for w in model.weights if w.name == "kernel"}


def test_kernels_have_that_many_distinct_numbers(clustered, network):
    found = {name: len(np.unique(kernel)) for name, kernel in kernels(tflite.plain(clustered)).items()}
    # The tiny kernel has four weights, fewer than clusters; depthwise kernels are left whole.
    assert found == {"first": CLUSTERS, "second": CLUSTERS, "logits": CLUSTERS, "depthwise": 72, "tiny": 4}


def test_each_weight_starts_as_the_nearest_centroid(network):
    started = kernels(tflite.plain(tflite.cluster(network, clusters=CLUSTERS)))
    for name in ("first", "second", "logits"):
        before = kernels(network)[name]
        centroids = np.unique(started[name])
        assert set(centroids) <= set(np.unique(before))  # k-means++ draws them from the weights
        np.testing.assert_allclose(
            np.abs(before - started[name]), np.abs(before[..., None] - centroids).min(axis=-1), atol=1e-7
        )


def test_centroids_train_and_the_plain_model_computes_the_same(clustered, network, digits):
    started = kernels(tflite.plain(tflite.cluster(network, clusters=CLUSTERS)))
    model = tflite.plain(clustered)
    assert not set(np.unique(started["logits"])) & set(np.unique(kernels(model)["logits"]))
    images = digits.images[:50].astype("float32")
    expected = np.asarray(clustered(images, training=False))
    np.testing.assert_allclose(model(images, training=False), expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_it_is_saved_and_loaded(clustered, digits, tmp_path):
    clustered.save(tmp_path / "clustered.keras")
    loaded = keras.models.load_model(tmp_path / "clustered.keras")
    for one, other in zip(tflite.plain(clustered).weights, tflite.plain(loaded).weights, strict=True):
        np.testing.assert_array_equal(one, other)


def integers(path):
    """Shape of a kernel in a file → its integers, the output channel in front."""
    interpreter = open_model(path)
    interpreter.allocate_tensors()
    used = [op.inputs[1] for op in tflite.inspect(path).operators if op.name in ("CONV_2D", "FULLY_CONNECTED")]
    assert all(tensor.constant and tensor.dtype == "int8" for tensor in used)
    return {tensor.shape: interpreter.get_tensor(tensor.index) for tensor in used}


def test_clusters_stay_through_quantization_into_the_file(clustered, digits, tmp_path):
    model = tflite.plain(clustered)
    # A loaded model must know the clusters as well.
    tflite.quantize_aware(model, engine="tfmot", preserve="clusters").save(tmp_path / "aware.keras")
    aware = keras.models.load_model(tmp_path / "aware.keras")
    aware.compile(keras.optimizers.Adam(1e-3), LOSS)
    fit(aware, digits, 10)
    made = tflite.convert(aware, tmp_path / "clustered.tflite", scheme="int8")
    assert tflite.compare(aware, made.path, digits.images[1000:]).agreement > 0.97
    found = integers(made.path)
    # A dense kernel has one scale, so that each centroid is one integer; of a convolution each output channel has its
    # own, so that it is one integer in each of them.
    assert len(np.unique(found[10, 16])) <= CLUSTERS
    assert len(np.unique(found[10, 16])) > CLUSTERS // 2
    for shape in ((8, 3, 3, 1), (4, 1, 1, 8)):
        assert max(len(np.unique(channel)) for channel in found[shape]) <= CLUSTERS
    # Without it there are more.
    plain = tflite.quantize_aware(model, engine="tfmot")
    plain.compile(keras.optimizers.Adam(1e-2), LOSS)
    fit(plain, digits, 10)
    (kernel,) = (np.asarray(weight) for weight in plain.weights if weight.name == "logits.kernel")
    assert len(np.unique(np.round(kernel / (np.abs(kernel).max() / 127)))) > 2 * CLUSTERS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 1}, r"`clusters`. Expected at least 2. Received: clusters=1"),
        ({"exclude": "logit"}, r"`exclude`.*Did you mean 'logits'\?"),
        ({"clusters": 200}, r"layer to be clustered in 200. Received: 'network', where none is trainable, large"),
    ],
)
def test_options(network, options, message):
    with pytest.raises(ModelError, match=message):
        tflite.cluster(network, **{"clusters": 4, **options})


def test_excluded_layers_are_left_whole(network):
    found = kernels(tflite.plain(tflite.cluster(network, clusters=2, exclude=["first", "log*"])))
    assert len(np.unique(found["second"])) == 2
    for name in ("first", "logits"):
        np.testing.assert_array_equal(found[name], kernels(network)[name])
