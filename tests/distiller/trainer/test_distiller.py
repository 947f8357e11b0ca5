"""The training step: its loss, what it runs and what it leaves alone."""

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.special import log_softmax
from support.small import CLASSES, batch, counted, distiller, network

from distiller import Distiller, bridges, models, objectives
from distiller.errors import InputError


def cross_entropy(logits, labels):
    return -log_softmax(np.asarray(logits, "float64"), axis=-1)[np.arange(len(labels)), labels]


class TestLoss:
    def terms(self, model, x, y):
        teacher, student = np.asarray(model.teacher_outputs(x)["@logits"]), np.asarray(model.student(x))
        return cross_entropy(student, np.maximum(y, 0)), reference.hinton(teacher, student, None, 2.0)

    def test_is_the_weighted_sum(self):
        x, y = batch()
        model = distiller(weights={"labels": 0.3, "soft": 0.7})
        labels, soft = self.terms(model, x, y)
        found = model.train_on_batch(x, y, return_dict=True)
        assert found["labels"] == pytest.approx(labels.mean(), rel=1e-4)
        assert found["soft"] == pytest.approx(soft.mean(), rel=1e-4)
        assert found["loss"] == pytest.approx(0.3 * labels.mean() + 0.7 * soft.mean(), rel=1e-4)

    def test_weights_are_1_by_default(self):
        x, y = batch()
        model = distiller()
        labels, soft = self.terms(model, x, y)
        assert model.train_on_batch(x, y, return_dict=True)["loss"] == pytest.approx(
            labels.mean() + soft.mean(), rel=1e-4
        )

    def test_sample_weights_count_in_every_term(self):
        x, y = batch()
        model = distiller(weights={"labels": 0.3, "soft": 0.7})
        labels, soft = self.terms(model, x, y)
        weights = np.array([0, 1, 2, 0, 0.5, 1, 1, 3], "float32")
        found = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
        assert found["labels"] == pytest.approx((weights * labels).mean(), rel=1e-4)
        assert found["soft"] == pytest.approx((weights * soft).mean(), rel=1e-4)

    def test_unlabelled_samples_count_for_the_teacher_alone(self):
        x, y = batch()
        y[[0, 3, 4]] = -1
        model = distiller()
        labels, soft = self.terms(model, x, y)
        right = np.asarray(model.student(x)).argmax(-1) == y
        found = model.train_on_batch(x, y, return_dict=True)
        assert found["labels"] == pytest.approx(labels[y >= 0].mean(), rel=1e-4)
        assert found["soft"] == pytest.approx(soft.mean(), rel=1e-4)
        assert found["accuracy"] == pytest.approx(right[y >= 0].mean())

    def test_no_label_at_all_is_no_nan(self):
        x, y = batch()
        found = distiller().train_on_batch(x, np.full_like(y, -1), return_dict=True)
        assert found["labels"] == 0.0
        assert np.isfinite(found["loss"])

    def test_regularizers_count_in_full_whatever_the_weights(self):
        x, y = batch()
        student = network()
        student.get_layer("logits").kernel.regularizer = keras.regularizers.L2(0.1)
        model = distiller(student, weights={"labels": 0.0, "soft": 0.0})
        expected = 0.1 * np.sum(np.square(student.get_layer("logits").kernel))
        assert model.train_on_batch(x, y, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-4)

    def test_a_weight_can_follow_the_steps(self):
        x, y = batch()
        ramp = keras.optimizers.schedules.PolynomialDecay(0.0, decay_steps=2, end_learning_rate=1.0)
        model = distiller(weights={"labels": 0.0, "soft": ramp}, optimizer=keras.optimizers.SGD(0.0))
        soft = self.terms(model, x, y)[1].mean()
        losses = []
        for _ in range(4):
            model.reset_metrics()
            losses.append(model.train_on_batch(x, y, return_dict=True)["loss"])
        np.testing.assert_allclose(losses, [0, soft / 2, soft, soft], rtol=1e-4)

    def test_the_update_follows_the_gradient_of_both_terms(self):
        """A linear student: its gradient by hand, x · (a (p − onehot) + b T (p_T − q_T)) / n."""
        from scipy.special import softmax

        inputs = keras.Input((3,))
        student, teacher = (keras.Model(inputs, keras.layers.Dense(3, use_bias=False)(inputs)) for _ in range(2))
        x, y = np.random.default_rng(0).normal(size=(6, 3)).astype("float32"), np.array([0, 1, 2, 0, 1, -1], "int32")
        s, t = x @ student.get_weights()[0], x @ teacher.get_weights()[0]
        before = student.get_weights()[0]
        model = distiller(student, teacher, keras.optimizers.SGD(1.0), weights={"labels": 0.3, "soft": 0.7})
        model.train_on_batch(x, y)
        hard = (softmax(s, -1) - np.eye(3)[y]) * (y >= 0)[:, None] / (y >= 0).sum()
        soft = 2.0 * (softmax(s / 2, -1) - softmax(t / 2, -1)) / len(y)
        np.testing.assert_allclose(
            before - student.get_weights()[0], x.T @ (0.3 * hard + 0.7 * soft), rtol=1e-3, atol=1e-5
        )


class TestStep:
    @pytest.mark.parametrize("layer", [None, "stage1"])
    def test_each_network_runs_once_a_step(self, layer):
        """Also with taps on features."""
        (teacher, of_teacher), (student, of_student) = counted(2), counted(1)
        objective = objectives.Hint(teacher_layer=layer, student_layer=layer) if layer else objectives.Hinton()
        model = distiller(student, teacher, objectives={"it": objective}, run_eagerly=True)
        model.fit(*batch(), batch_size=4, verbose=0)  # builds what is not built yet
        before = of_teacher.runs, of_student.runs
        model.fit(*batch(), batch_size=4, epochs=3, verbose=0)
        assert of_teacher.runs - before[0] == 6
        assert of_student.runs - before[1] == 6

    def test_evaluate_and_predict_run_no_teacher_and_change_nothing(self):
        teacher, of_teacher = counted(2)
        student = models.build("resnet8", CLASSES, (5, 5, 1), width=8)
        model = distiller(student, teacher, run_eagerly=True)
        before, ran = student.get_weights(), of_teacher.runs
        found = model.evaluate(*batch(), verbose=0, return_dict=True)
        model.predict(batch()[0], verbose=0)
        assert of_teacher.runs == ran
        assert set(found) == {"loss", "labels", "accuracy"}
        for a, b in zip(before, student.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_the_teacher_stays_as_it_was(self):
        teacher = models.build("resnet8", CLASSES, (5, 5, 1), width=8)
        before = teacher.get_weights()
        distiller(teacher=teacher).fit(*batch(), epochs=2, verbose=0)
        assert teacher.trainable
        for a, b in zip(before, teacher.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_only_the_student_is_trained_and_saved(self, tmp_path):
        student = network()
        model = distiller(student)
        assert {id(v) for v in model.trainable_variables} == {id(v) for v in student.trainable_variables}
        model.student.save(tmp_path / "student.keras")
        loaded = keras.saving.load_model(tmp_path / "student.keras")
        x, _ = batch()
        np.testing.assert_allclose(loaded(x), student(x), rtol=1e-5)
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in student.layers]

    def test_mixed_precision_teacher_and_float_student(self):
        teacher = models.build("wide", CLASSES, (8, 8, 1), widths=(8, 8), dtype="mixed_bfloat16")
        student = models.build("resnet8", CLASSES, (8, 8, 1), width=8)
        model = distiller(student, teacher)
        x = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1)).astype("float32")
        assert np.isfinite(model.train_on_batch(x, np.arange(8) % 4, return_dict=True)["loss"])

    def test_a_distilled_student_comes_to_say_what_its_teacher_says(self):
        x, y = batch(64)
        teacher = network(seed=2)
        model = distiller(teacher=teacher, optimizer=keras.optimizers.Adam(0.05), weights={"labels": 0.0})
        model.fit(x, np.full_like(y, -1), epochs=100, verbose=0)
        same = np.asarray(model.student(x)).argmax(-1) == np.asarray(teacher(x)).argmax(-1)
        assert same.mean() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"sotf": 1.0}}, "Did you mean 'soft'"),
        ({"weights": {"soft": -1.0}}, "number ≥ 0"),
        ({"objectives": {"labels": "hinton"}}, "hard labels"),
        ({"objectives": {"soft": {"name": "hinton", "teacher_layer": "stage2"}}}, "Did you mean 'stage1'"),
        ({"objectives": {"soft": {"name": "hinton", "teacher_layer": "features"}}}, "does not fit"),
        ({"teacher": network(7)}, "7 classes and the student 4"),
        ({"teacher": network(activation="softmax")}, "softmax"),
        ({"teacher": models.build("resnet8", CLASSES, (8, 8, 1))}, "same input"),
        ({"teacher": "wide"}, "Received: str"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(options, message):
    with pytest.raises(InputError, match=message):
        distiller(**options)


def test_a_loss_for_the_labels_is_needed():
    made = Distiller(teacher=network(), student=network(), objectives={"soft": "hinton"})
    with pytest.raises(InputError, match="loss of the labels"):
        made.compile("sgd")


def test_a_loss_is_one_number_a_sample():
    made = distiller()
    made.compile("sgd", loss=lambda y, z: keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, z, True)))
    with pytest.raises(InputError, match="one number per sample"):
        made.fit(*batch(), verbose=0)


@pytest.mark.parametrize("loss", ["binary_crossentropy", keras.losses.BinaryFocalCrossentropy()])
def test_binary_losses_of_probabilities_need_a_sigmoid(loss):
    def ending(activation):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(2, activation=activation)(inputs))

    with pytest.raises(InputError, match="which takes probabilities"):
        Distiller(student=ending(None), objectives={}).compile("sgd", loss=loss)
    Distiller(student=ending("sigmoid"), objectives={}).compile("sgd", loss=loss)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(2, activation="sigmoid")(inputs)
    for last in (keras.layers.Activation("linear", dtype="float32"), keras.layers.Reshape((2,))):
        Distiller(student=keras.Model(inputs, last(x)), objectives={}).compile("sgd", loss=loss)


class TestBridges:
    def test_subset_renormalizes_the_teachers_own_probabilities(self):
        from scipy.special import softmax

        teacher = network(7, seed=2)
        x, _ = batch()
        bridged = bridges.Subset([5, 0, 3, 2]).teacher(teacher, 4)
        whole = softmax(np.asarray(teacher(x)), axis=-1)[:, [5, 0, 3, 2]]
        np.testing.assert_allclose(
            softmax(np.asarray(bridged(x)), axis=-1), whole / whole.sum(-1, keepdims=True), rtol=1e-4
        )

    def test_subset_by_name(self):
        assert bridges.Subset(["dog", "ant"], names=["ant", "cat", "dog"]).indices == [2, 0]

    @pytest.mark.parametrize(
        ("classes", "names", "message"),
        [
            ([], None, "two or more"),
            ([1, 1], None, "different"),
            (["dgo", "cat"], ["cat", "dog"], "Did you mean 'dog'"),
            (["dog", "cat"], None, "names"),
            ([0, -1], None, "Received: -1"),
        ],
    )
    def test_subset_refuses(self, classes, names, message):
        with pytest.raises(InputError, match=message):
            bridges.Subset(classes, names)

    def test_subset_refuses_a_class_that_the_teacher_lacks(self):
        with pytest.raises(InputError, match="below 7"):
            bridges.Subset([0, 1, 2, 9]).teacher(network(7), 4)

    def test_probe_is_the_logistic_regression_of_scikit_learn(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import scale

        teacher = network(7, seed=2)
        x, y = batch(80)
        probe = bridges.Probe(strength=0.5).fit(teacher, (x, y), (x, y), CLASSES)
        features = (
            keras.Model(teacher.input, teacher.get_layer("features").output).predict(x, verbose=0).astype("float64")
        )
        expected = LogisticRegression(C=0.5, max_iter=500).fit(scale(features), y)
        found = np.asarray(probe.teacher(teacher, CLASSES)(x))
        np.testing.assert_allclose(found, expected.decision_function(scale(features)), atol=5e-3)
        assert probe.accuracy == pytest.approx((found.argmax(-1) == y).mean())

    def test_probe_of_two_classes(self):
        teacher = network(7, seed=2)
        x, y = batch(40, 2)
        probe = bridges.Probe().fit(teacher, (x, y), (x, y), 2)
        assert ((np.asarray(probe.teacher(teacher, 2)(x)).argmax(-1) == y).mean()) == pytest.approx(probe.accuracy)

    def test_probe_needs_labels_of_every_class(self):
        x, y = batch()
        with pytest.raises(InputError, match="each of the 4 classes"):
            bridges.Probe().fit(network(7), (x[:2], y[:2]), (x, y), CLASSES)

    def test_fine_tune_trains_a_copy(self):
        teacher = network(7, seed=2)
        before = teacher.get_weights()
        x, y = batch(64)
        tuned = bridges.FineTune().fit(teacher, x, CLASSES, y=y, epochs=30, verbose=0)
        copy = tuned.teacher(teacher, CLASSES)
        assert copy.output_shape == (None, CLASSES)
        assert "stage1" in [layer.name for layer in copy.layers]
        assert (np.asarray(copy(x)).argmax(-1) == y).mean() > 0.5
        for a, b in zip(before, teacher.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_an_unfitted_bridge_is_refused(self):
        with pytest.raises(InputError, match="has to be fitted first"):
            distiller(teacher=network(7), bridge=bridges.Probe())

    def test_a_student_of_other_classes_learns_through_a_bridge(self):
        model = distiller(teacher=network(7), bridge=bridges.Subset([6, 5, 4, 3]))
        assert np.isfinite(model.train_on_batch(*batch(), return_dict=True)["soft"])
