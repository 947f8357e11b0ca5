"""What tensorflow-model-optimization does not quantize is refused by name, with the way out."""

import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

import tflite
from tflite import ModelError


def network(build, name="network"):
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(4, 3, padding="same", name="first")(layers.Rescaling(1 / 64, name="scale")(inputs))
    x = build(x)
    x = x if len(x.shape) == 2 else layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name=name)


def hard_swish(x):
    return x * ops.relu6(ops.add(x, 3.0)) / 6.0


def twice(x):
    layer = layers.Conv2D(4, 3, padding="same", name="again")
    return layer(layer(x))


def beside(x):
    return layers.Add()([x, layers.BatchNormalization(name="alone")(x)])


def averaged(x):
    x = layers.AveragePooling2D(2, name="mean")(x)
    return layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same")(x)])


NOT_QUANTIZED = [
    (averaged, r"'mean' \(AveragePooling2D\) that is concatenated and taken elsewhere too"),
    (lambda x: layers.BatchNormalization(name="alone")(layers.MaxPooling2D()(x)), "layer 'alone' .BatchNormalization."),
    (lambda x: layers.BatchNormalization(name="alone")(layers.ReLU()(x)), "'alone' .* that does not follow"),
    (beside, "'alone' .* that does not follow a two-dimensional convolution of its own"),
    (
        lambda x: layers.BatchNormalization(name="alone")(layers.Conv2D(4, 1, activation="relu", name="rectified")(x)),
        "'alone' .* after the activation of 'rectified'",
    ),
    (
        lambda x: layers.BatchNormalization(name="alone")(layers.Dense(4)(layers.GlobalMaxPooling2D()(x))),
        "'alone' .* that does not follow a two-dimensional convolution",
    ),
    (hard_swish, r"operation 'add.*' \(Add\)"),
    (
        lambda x: layers.Activation("hard_swish", name="swish")(x),
        r"'swish' \(Activation\) with the activation hard_silu",
    ),
    (lambda x: layers.Conv2D(4, 3, activation="elu", name="fused")(x), r"'fused' \(Conv2D\) with ELU"),
    (lambda x: layers.Rescaling(2.0, name="inside")(x), r"'inside' \(Rescaling\), which it does not quantize"),
    (lambda x: layers.PReLU(name="sloped")(x), r"'sloped' \(PReLU\)"),
    (lambda x: layers.Multiply(name="product")([x, layers.ReLU()(x)]), r"'product' \(Multiply\)"),
    (lambda x: layers.LayerNormalization(name="across")(x), r"'across' \(LayerNormalization\)"),
    (lambda x: layers.Flatten()(layers.Conv1D(2, 3, name="line")(layers.Reshape((36, 4))(x))), r"'line' \(Conv1D\)"),
    (twice, r"'again' \(Conv2D\) that is called twice"),
]


@pytest.mark.parametrize(("build", "message"), NOT_QUANTIZED)
def test_a_layer_is_named_and_the_native_engine_proposed(build, message):
    with pytest.raises(ModelError, match=message) as caught:
        tflite.quantize_aware(network(build), engine="tfmot")
    assert "engine='native'" in str(caught.value)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="sub")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(ops.mean(x, axis=(1, 2)))


def test_a_subclassed_model_is_refused():
    model = Subclassed()
    model(np.zeros((1, 6, 6, 1), "float32"))
    with pytest.raises(ModelError, match=r"functional or sequential model. Received: 'sub' of the subclass Subclassed"):
        tflite.quantize_aware(model, engine="tfmot")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tfmott"}, r"`engine`. Expected one of \['native', 'tfmot'\].*Did you mean 'tfmot'\?"),
        ({"scheme": "int16x8"}, "Expected scheme='int8' with engine='tfmot'. Received: scheme='int16x8'"),
        ({"exclude": ["first"]}, r"Expected exclude=\(\) with engine='tfmot'. Received: exclude=\('first',\)"),
        ({"overrides": {"first": "int4"}}, "Expected overrides=None with engine='tfmot'"),
        ({"momentum": 0.9}, "no `momentum` with engine='tfmot', whose moving averages have 0.999. Received: 0.9"),
        ({"preserve": "sparse"}, r"`preserve`. Expected one of \['sparsity', 'clusters'\].*Did you mean 'sparsity'"),
        ({"preserve": "sparsity"}, "kernels with zeros for preserve='sparsity'. Received: 'network' without one"),
        (
            {"preserve": "sparsity", "engine": "native"},
            "`preserve` only with engine='tfmot'. Received: engine='native'",
        ),
        ({"input_range": (1.0, 2.0)}, "`input_range`"),
    ],
)
def test_options(options, message):
    model = network(layers.ReLU())
    with pytest.raises(ModelError, match=message):
        tflite.quantize_aware(model, **{"engine": "tfmot", **options})


def test_clusters_that_are_none():
    # Kernels of 3, 4 and 36 weights have few distinct numbers by themselves: as many as weights.
    with pytest.raises(ModelError, match=r"at most 256 distinct numbers for preserve='clusters'. Received: 'network'"):
        tflite.quantize_aware(network(layers.ReLU()), engine="tfmot", preserve="clusters")


@pytest.fixture
def not_installed(monkeypatch):
    """A function that hides the packages until the test is over."""
    from tflite.tfmot.library import library

    def hide():
        library.cache_clear()
        monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)

    yield hide
    library.cache_clear()


def test_without_the_packages_the_install_line_is_told(not_installed, tmp_path):
    model = network(layers.ReLU())
    tflite.prune(model, final_sparsity=0.5, end_step=10).save(tmp_path / "pruned.keras")
    not_installed()
    for call in (
        lambda: tflite.quantize_aware(model, engine="tfmot"),
        lambda: tflite.prune(model, final_sparsity=0.5, end_step=10),
        lambda: tflite.cluster(model, clusters=4),
        lambda: tflite.convert(tmp_path / "pruned.keras", tmp_path / "a.tflite"),
    ):
        with pytest.raises(ModelError, match=r"Install them: pip install '\.\[tfmot\]' in a checkout"):
            call()


def test_another_backend_than_tensorflow(monkeypatch):
    from tflite.tfmot.library import library

    library.cache_clear()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    try:
        with pytest.raises(ModelError, match=r"TensorFlow backend .*Received: 'jax'"):
            tflite.prune(network(layers.ReLU()), final_sparsity=0.5, end_step=10)
    finally:
        library.cache_clear()
