"""Training that begins with smaller images."""

import keras
import numpy as np
import pytest

from distiller.data import Split
from distiller.errors import InputError
from distiller.recipes.training import Training
from distiller.runs.fit import fit, views
from distiller.utils.progress import Reporter

PLAN = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01}
SIZES = [{"size": 4, "epochs": 1}, {"size": 8, "epochs": 2}]
IMAGES = Split(np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype("uint8"), np.arange(8, dtype="int32") % 2)


class Noting(keras.layers.Layer):
    """Notes height and width of what it is given, and in which mode: once a trace."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def call(self, x, training=False):
        self.seen.add((*x.shape[1:3], bool(training)))
        return x


def network():
    """A network that enlarges images to 12 by 16, and the layer that notes the sizes."""
    inputs, noting = keras.Input((4, 4, 1)), Noting()
    x = noting(keras.layers.UpSampling2D((3, 4), interpolation="bilinear")(keras.layers.Rescaling(1 / 255)(inputs)))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3, activation="relu")(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    noting.seen.clear()
    return model, noting


def train(model, folder, **changes):
    plan = Training(**{**PLAN, "sizes": SIZES, **changes})
    batches = views(plan, IMAGES, samples=8, seed=0)
    return fit(model, plan, batches, IMAGES, folder=folder, reporter=Reporter(), title="growing")


def test_the_first_epochs_are_at_their_sizes_and_the_others_at_its_own(tmp_path):
    model, noting = network()
    train(model, tmp_path)
    assert noting.seen == {(*size, training) for size in ((4, 4), (8, 8), (12, 16)) for training in (True, False)}
    assert model.layers[2].size == (3, 4)


def test_an_epoch_at_a_size_is_that_of_a_network_of_this_size(tmp_path):
    """Keras trains the reference, with a layer of that size."""
    model, _ = network()
    reference = keras.models.clone_model(
        model, clone_function=lambda layer: keras.layers.Resizing(8, 8) if "sampling" in layer.name else layer
    )
    start = model.get_weights()
    train(model, tmp_path / "a", sizes=[{"size": 8, "epochs": 4}])
    grown = model.get_weights()
    reference.set_weights(start)
    train(reference, tmp_path / "b", sizes=[])
    for ours, theirs, before in zip(grown, reference.get_weights(), start, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
        assert not np.allclose(ours, before)


def test_a_training_that_was_interrupted_goes_on_at_the_size_of_its_epoch(tmp_path):
    whole, _ = network()
    start = whole.get_weights()
    train(whole, tmp_path / "whole")

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    plan = Training(**PLAN, sizes=SIZES)
    broken, _ = network()
    broken.set_weights(start)
    options = {"folder": tmp_path / "broken", "reporter": Reporter(), "title": "growing"}
    with pytest.raises(KeyboardInterrupt):
        fit(broken, plan, views(plan, IMAGES, samples=8, seed=0), IMAGES, callbacks=[Stop()], **options)
    again, noting = network()
    train(again, tmp_path / "broken")
    assert {height for height, *_ in noting.seen} == {8, 12}
    for ours, theirs in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_network_that_enlarges_nothing_is_refused(tmp_path):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)), name="plain")
    with pytest.raises(
        InputError, match=r"training\.sizes: expected a network that enlarges .*Received: plain, with 0"
    ):
        train(model, tmp_path)


def test_a_size_that_the_images_do_not_divide_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"training\.sizes: expected multiples .*4 and 4. Received: 6"):
        train(network()[0], tmp_path, sizes=[{"size": 6, "epochs": 1}])
