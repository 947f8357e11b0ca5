"""The distillation-oriented optimizer in a Distiller, and weights and temperatures that change during a training."""

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.special import softmax
from support.small import batch, distiller, network

from distiller import Distiller, objectives
from distiller.errors import InputError
from distiller.networks.scheduled import ScheduledValue
from distiller.optimizers import DOT

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class TestDOT:
    def linear(self, regularizer=None):
        inputs = keras.Input((3,))
        return keras.Model(
            inputs, keras.layers.Dense(3, use_bias=False, name="last", kernel_regularizer=regularizer)(inputs)
        )

    @pytest.mark.parametrize("scaled", [False, True])
    def test_a_momentum_for_each_of_the_two_losses(self, scaled):
        """Two steps of a linear student by hand: Zhao et al. 2023, with the gradients of softmax regression."""
        student, teacher = self.linear(keras.regularizers.L2(0.1)), self.linear()
        x, y = np.random.default_rng(0).normal(size=(6, 3)).astype("float32"), np.array([0, 1, 2, 0, 1, 2], "int32")
        made = Distiller(
            teacher=teacher,
            student=student,
            objectives={"soft": objectives.Hinton(temperature=2.0)},
            weights={"labels": 0.3, "soft": 0.7},
        )
        optimizer = DOT(0.1, momentum=0.8, delta=0.1)
        made.compile(keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer, loss=SPARSE)
        kernel = student.get_weights()[0].astype("float64")
        t = x @ teacher.get_weights()[0]
        task, distillation = np.zeros_like(kernel), np.zeros_like(kernel)
        for _ in range(3):
            s = x @ kernel
            hard = x.T @ (0.3 * (softmax(s, -1) - np.eye(3)[y]) / len(y)) + 2 * 0.1 * kernel
            soft = x.T @ (0.7 * 2.0 * (softmax(s / 2, -1) - softmax(t / 2, -1)) / len(y))
            task, distillation = 0.7 * task + hard, 0.9 * distillation + soft
            kernel = kernel - 0.1 * (task + distillation)
            made.train_on_batch(x, y)
        np.testing.assert_allclose(student.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)

    def test_the_loss_is_still_the_sum(self):
        x, y = batch()
        with_dot = distiller(optimizer=DOT(0.1)).train_on_batch(x, y, return_dict=True)
        plain = distiller(optimizer="sgd").train_on_batch(x, y, return_dict=True)
        assert with_dot == pytest.approx(plain, rel=1e-5)

    def test_what_one_loss_alone_reaches_has_the_plain_momentum(self):
        """After two equal gradients g the velocity is g + m·g: m is the plain 0.9 where one loss reaches a variable."""
        hint = objectives.Hint(teacher_layer="stage1", student_layer="stage1")
        found = []
        for delta in (0.0, 0.09):
            still = DOT(0.0, momentum=0.9, delta=delta)
            hints = {"hint": hint.from_config(hint.get_config())}
            model = distiller(network(width=4), objectives=hints, optimizer=still)
            model.fit(*batch(), epochs=2, verbose=0)
            pairs = zip(still.task_velocities, still.distillation_velocities, strict=True)
            found.append([[np.linalg.norm(keras.ops.convert_to_numpy(each)) for each in pair] for pair in pairs])
        plain, apart = np.array(found)
        of_both = np.array(["stage1" in variable.path for variable in model.trainable_variables])
        assert (plain[of_both] > 0).all()
        np.testing.assert_allclose(apart[of_both] / plain[of_both], [[1.81 / 1.9, 1.99 / 1.9]] * 2, rtol=1e-4)
        assert ((plain[~of_both] > 0).sum(axis=1) == 1).all()  # logits, and the adapter
        np.testing.assert_allclose(apart[~of_both], plain[~of_both], rtol=1e-5)

    def test_a_saved_one_continues_the_same_trajectory(self, tmp_path):
        model = distiller(optimizer=DOT(0.05))
        model.fit(*batch(), epochs=2, shuffle=False, verbose=0)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        histories = [m.fit(*batch(), epochs=2, shuffle=False, verbose=0).history for m in (model, loaded)]
        assert {k: pytest.approx(v, rel=1e-6) for k, v in histories[0].items()} == histories[1]


class TestWeights:
    def losses(self, model, steps):
        found = []
        for _ in range(steps):
            model.reset_metrics()
            found.append(model.train_on_batch(*batch(), return_dict=True))
        return found

    def test_a_number_changes_without_a_new_trace(self):
        model = distiller(weights={"labels": 0.0, "soft": 1.0}, optimizer=keras.optimizers.SGD(0.0))
        (first,) = self.losses(model, 1)
        compiled = model.train_function
        model.set_weight("soft", 0.25)
        model.set_weight("labels", 2.0)
        (second,) = self.losses(model, 1)
        assert model.train_function is compiled
        assert second["loss"] == pytest.approx(0.25 * first["soft"] + 2.0 * first["labels"], rel=1e-5)

    def test_a_callback_changes_it_between_epochs(self):
        model = distiller(weights={"labels": 0.0}, optimizer=keras.optimizers.SGD(0.0))
        turn_off = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: model.set_weight("soft", 1.0 - epoch))
        losses = model.fit(*batch(), epochs=2, verbose=0, callbacks=[turn_off]).history["loss"]
        assert losses[0] > 0
        assert losses[1] == 0

    @pytest.mark.parametrize("moment", ["on_train_batch_begin", "on_train_batch_end"])
    def test_a_callback_changes_it_within_an_epoch(self, moment):
        """Three batches a pass; from the second on the term is off, whichever backend holds the state."""
        model = distiller(weights={"labels": 0.0, "soft": 1.0}, optimizer=keras.optimizers.SGD(0.0))
        at = {"on_train_batch_begin": 1, "on_train_batch_end": 0}[moment]
        seen = []

        def change(step, logs=None):
            if step == at:
                model.set_weight("soft", 0.0)
            seen.append(model.term_weights["soft"].value)

        x, y = batch(24)
        callbacks = [keras.callbacks.LambdaCallback(**{moment: change})]
        history = model.fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=callbacks).history
        assert 0.1 * history["soft"][0] < history["loss"][0] < 0.6 * history["soft"][0]
        assert seen[-1] == model.term_weights["soft"].value == 0.0

    def test_a_changed_number_is_saved(self, tmp_path):
        model = distiller(weights={"labels": 0.0})
        model.set_weight("soft", 0.125)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        assert loaded.get_config()["weights"] == {"labels": 0.0, "soft": 0.125}

    def test_errors(self):
        ramp = keras.optimizers.schedules.PolynomialDecay(0.0, 2, 1.0)
        model = distiller(weights={"soft": ramp})
        with pytest.raises(InputError, match="Did you mean 'soft'"):
            model.set_weight("sotf", 1.0)
        with pytest.raises(InputError, match="number ≥ 0"):
            model.set_weight("labels", -1.0)
        below = keras.optimizers.schedules.PolynomialDecay(1.0, 2, -1.0)
        with pytest.raises(InputError, match=r"schedule of such. Received: -1\.0"):
            distiller(weights={"soft": below})
        with pytest.raises(InputError, match="'loss' is the name of the sum of all terms"):
            distiller(objectives={"loss": "hinton"})
        with pytest.raises(TypeError, match="It follows PolynomialDecay"):
            model.set_weight("soft", 1.0)


class TestTemperature:
    """A number or a schedule; the reference is Hinton's loss at the temperature that should hold."""

    def soft(self, model):
        model.reset_metrics()
        return model.train_on_batch(*batch(), return_dict=True)["soft"]

    def expected(self, model, temperature):
        x, _ = batch()
        return reference.hinton(np.asarray(model.teacher(x)), np.asarray(model.student(x)), None, temperature).mean()

    def model(self, temperature):
        soft = objectives.Hinton(temperature=temperature)
        return distiller(objectives={"soft": soft}, optimizer=keras.optimizers.SGD(0.0))

    def test_a_schedule_is_followed(self):
        ramp = keras.optimizers.schedules.PolynomialDecay(8.0, decay_steps=2, end_learning_rate=2.0)
        model = self.model(ramp)
        found = [self.soft(model) for _ in range(4)]
        np.testing.assert_allclose(found, [self.expected(model, t) for t in (8.0, 5.0, 2.0, 2.0)], rtol=1e-4)

    def test_a_number_changes_without_a_new_trace(self):
        model = self.model(4.0)
        assert self.soft(model) == pytest.approx(self.expected(model, 4.0), rel=1e-4)
        compiled = model.train_function
        model.objectives["soft"].temperature = 1.5
        assert self.soft(model) == pytest.approx(self.expected(model, 1.5), rel=1e-4)
        assert model.train_function is compiled

    def test_inside_a_standardization_too(self):
        ramp = keras.optimizers.schedules.PolynomialDecay(8.0, decay_steps=1, end_learning_rate=2.0)
        inner = objectives.Standardized(objective=objectives.Hinton(temperature=ramp))
        model = distiller(objectives={"soft": inner}, optimizer=keras.optimizers.SGD(0.0))
        x, _ = batch()
        logits = np.asarray(model.teacher(x)), np.asarray(model.student(x))
        t, s = ((z - z.mean(-1, keepdims=True)) / z.std(-1, keepdims=True) for z in logits)
        found = [self.soft(model) for _ in range(2)]
        expected = [reference.hinton(t, s, None, temperature).mean() for temperature in (8.0, 2.0)]
        np.testing.assert_allclose(found, expected, rtol=1e-3)

    def test_it_is_saved(self, tmp_path):
        ramp = keras.optimizers.schedules.PolynomialDecay(8.0, decay_steps=2, end_learning_rate=2.0)
        for temperature in (ramp, 3.0):
            model = self.model(temperature)
            self.soft(model)
            model.save(tmp_path / "d.keras")
            loaded = keras.saving.load_model(tmp_path / "d.keras")
            assert self.soft(loaded) == pytest.approx(self.soft(model), rel=1e-5)

    @pytest.mark.parametrize(
        "schedule",
        [
            keras.optimizers.schedules.PolynomialDecay(0.0, 5, 4.0),
            keras.optimizers.schedules.PolynomialDecay(4.0, 5, 0.0),
            keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [4.0, 0.0, 4.0]),
        ],
    )
    def test_a_schedule_that_comes_to_nothing(self, schedule):
        with pytest.raises(InputError, match=r"positive number. Received: temperature=0\.0"):
            objectives.Hinton(temperature=schedule)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
    def test_it_is_positive(self, temperature):
        with pytest.raises(InputError, match="temperature"):
            objectives.Hinton(temperature=temperature)
        with pytest.raises(InputError, match="temperature"):
            self.model(4.0).objectives["soft"].temperature = temperature


def test_a_value_that_was_saved_under_its_earlier_name_is_read():
    """`ScheduledValue` was `Adjustable` when files were first saved."""
    saved = {
        "module": "distiller.adjustable",
        "class_name": "Adjustable",
        "config": {"name": "adjustable", "trainable": False, "dtype": "float32", "value": 2.5},
        "registered_name": "distiller>Adjustable",
    }
    read = keras.saving.deserialize_keras_object(saved)
    assert (type(read), read.value) == (ScheduledValue, 2.5)
