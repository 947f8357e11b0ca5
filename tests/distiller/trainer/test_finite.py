"""A training without data, or whose numbers are lost on the way, ends with an error; one in float16 keeps them."""

import keras
import numpy as np
import pytest
from support.small import batch, distiller, network

from distiller import Distiller, objectives, teachers
from distiller.errors import InputError, WorkError

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def mutual(rate=0.1):
    made = teachers.Mutual([network(), network(seed=2)], objective="mean_squared_logits")
    made.compile(keras.optimizers.SGD(rate), loss=SPARSE)
    return made


def alone(rate):
    made = distiller(optimizer=keras.optimizers.SGD(rate), objectives={"soft": objectives.MeanSquaredLogits()})
    return made


@pytest.mark.parametrize("kind", [alone, mutual])
class TestLost:
    def test_after_the_first_step(self, kind):
        """Gradients that grow with the weights: the first losses are numbers."""
        epochs = []
        told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
        with pytest.raises(WorkError, match=r"In epoch 1 .* became no finite number. Try a smaller learning rate"):
            kind(1e5).fit(*batch(), batch_size=1, epochs=2, verbose=0, callbacks=[told])
        assert epochs == []

    def test_in_the_last_step(self, kind):
        """Its loss was counted before."""
        x, y = batch()
        with pytest.raises(WorkError, match="left weights that are no finite numbers"):
            kind(1e37).fit(x * 1e3, y, batch_size=8, verbose=0)

    def test_no_sample(self, kind):
        x, y = batch()
        with pytest.raises(InputError, match=r"one sample or more\. Received: none"):
            kind(0.1).fit(x[:0], y[:0], verbose=0)


if keras.backend.backend() == "tensorflow":  # the dataset is TensorFlow's

    @pytest.mark.parametrize("kind", [alone, mutual])
    def test_no_batch(kind):
        import tensorflow as tf

        x, y = batch()
        none = tf.data.Dataset.from_tensor_slices((x, y)).take(0).batch(2)
        with pytest.warns(UserWarning, match="ran out"), pytest.raises(InputError, match="one batch or more"):
            kind(0.1).fit(none, verbose=0, shuffle=False)


def test_nothing_to_evaluate():
    x, y = batch()
    with pytest.raises(InputError, match="one sample or more"):
        distiller().evaluate(x[:0], y[:0], verbose=0)


def test_ids_are_whole_numbers():
    bank = objectives.Contrastive(
        negatives="memory", samples=8, teacher_layer="features", student_layer="features", dimensions=4
    )
    x, y = batch(2)
    with pytest.raises(InputError, match=r"ids that are whole numbers. Received: 0.5"):
        distiller(objectives={"pairs": bank}).fit(x, {"labels": y, "ids": np.array([0, 0.5])}, verbose=0)


class TestFloat16:
    """Two objectives have gradients that float16 does not hold: of large features, and of logits that hardly vary."""

    def student(self, name):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((5, 5, 1))
        if name == "dist":
            hardly = keras.initializers.RandomNormal(stddev=6e-5, seed=1)
            x = keras.layers.Flatten()(inputs)
            return keras.Model(inputs, keras.layers.Dense(4, kernel_initializer=hardly, dtype="mixed_float16")(x))
        large = keras.initializers.RandomNormal(stddev=30.0, seed=1)
        x = keras.layers.Conv2D(4, 3, kernel_initializer="ones", dtype="mixed_float16", name="low")(inputs)
        x = keras.layers.Conv2D(4, 1, kernel_initializer=large, dtype="mixed_float16", name="high")(x)
        return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D(dtype="float32")(x)))

    def made(self, name, **compile):
        student = self.student(name)
        taps = {f"{side}_layer": ["low", "high"] for side in ("teacher", "student")} if name == "flow" else {}
        other = keras.models.clone_model(student)
        other.set_weights([-weights for weights in student.get_weights()])
        weights = {"it": 1000.0 if name == "dist" else 1.0}
        made = Distiller(teacher=other, student=student, objectives={"it": {"name": name, **taps}}, weights=weights)
        made.compile(keras.optimizers.SGD(1e-20), loss=SPARSE, **compile)
        return made

    @pytest.mark.parametrize("name", ["flow", "dist"])
    def test_gradients_that_overflow_are_scaled(self, name):
        x, y = batch(4)
        x = x * 60 if name == "flow" else x
        with pytest.raises(WorkError, match="left weights that are no finite numbers"):
            self.made(name, auto_scale_loss=False).fit(x, y, verbose=0)
        model = self.made(name)
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        before = model.student.get_weights()
        model.fit(x, y, epochs=60, verbose=0)
        assert float(model.optimizer.dynamic_scale.numpy()) < 2**15
        assert int(model.optimizer.inner_optimizer.iterations.numpy()) > 5
        moved = [np.abs(a - b).max() for a, b in zip(before, model.student.get_weights(), strict=True)]
        assert np.isfinite(moved).all()

    def test_it_is_saved_as_it_was(self, tmp_path):
        x, y = batch(4)
        for scales in (True, False):
            model = self.made("flow", auto_scale_loss=scales)
            model.fit(x / 100, y, verbose=0)
            model.save(tmp_path / "distiller.keras")
            loaded = keras.saving.load_model(tmp_path / "distiller.keras")
            assert type(loaded.optimizer) is type(model.optimizer)
            assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer) == scales
