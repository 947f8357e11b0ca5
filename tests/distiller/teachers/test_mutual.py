"""Students that teach each other: the loss, its gradients, and a pair that learns."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from distiller import data, objectives
from distiller.errors import InputError
from distiller.optimizers import DOT
from distiller.teachers import Mutual

X = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
Y = np.array([0, 1, 2, -1, 0, 1, -1, 2], "int32")
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def student(seed=1, units=3, inputs=5, **options):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, name="logits", **options)])


def three():
    return {name: student(seed) for seed, name in enumerate(("ann", "bob", "cy"), 1)}


def answers(students, x=X):
    return [np.asarray(keras.ops.convert_to_numpy(s(x)), "float64") for s in students]


def terms(students, weights=1.0, temperature=1.0):
    """The labels' and the peers' term of each student, from the paper, in float64."""
    z = answers(students)
    known = Y >= 0
    hard = [-(log_softmax(own, -1)[np.arange(8), Y] * known * weights).sum() / known.sum() for own in z]
    log_p = [log_softmax(own / temperature, -1) for own in z]
    peers = [
        temperature**2
        * np.mean([(np.exp(p) * (p - q)).sum(-1) * weights for other, p in enumerate(log_p) if other != own], axis=0)
        for own, q in enumerate(log_p)
    ]
    return np.array(hard), np.mean(peers, axis=-1)


def compiled(students, optimizer="sgd", run_eagerly=False, **options):
    mutual = Mutual(students, **options)
    mutual.compile(optimizer, loss=SPARSE, metrics=["accuracy"], run_eagerly=run_eagerly)
    return mutual


@pytest.mark.parametrize("weights", [None, np.array([1, 2, 0.5, 3, 0, 1, 1, 2], "float32")])
def test_the_loss_is_that_of_the_paper(weights):
    mutual = compiled(three(), peers=0.7, objective=objectives.Hinton(temperature=2.0))
    hard, peers = terms(mutual.students.values(), 1.0 if weights is None else weights, 2.0)
    found = mutual.train_on_batch(X, Y, sample_weight=weights, return_dict=True)
    assert found["loss"] == pytest.approx(hard.sum() + 0.7 * peers.sum(), rel=1e-4)
    assert [found[f"{name}_labels"] for name in mutual.students] == pytest.approx(hard, rel=1e-4)
    assert [found[f"{name}_peers"] for name in mutual.students] == pytest.approx(peers, rel=1e-4)


@pytest.mark.parametrize("optimizer", [lambda: keras.optimizers.SGD(0.5), lambda: DOT(0.5, delta=0.0)])
def test_a_student_is_moved_by_its_own_loss_alone(optimizer):
    """The gradient of softmax losses by hand: no student moves towards being a better teacher."""
    students = [student(1), student(2)]
    mutual = compiled(students, optimizer())
    z, bias = answers(students), [s.get_weights()[1] for s in students]
    p = [np.exp(log_softmax(own, -1)) for own in z]
    known = (Y >= 0)[:, None]
    mutual.train_on_batch(X, Y)
    for own, other in ((0, 1), (1, 0)):
        of_labels = ((p[own] - np.eye(3)[Y]) * known).sum(0) / known.sum()
        of_peer = (p[own] - p[other]).mean(0)
        found = students[own].get_weights()[1]
        np.testing.assert_allclose(found, bias[own] - 0.5 * (of_labels + of_peer), atol=1e-6)


def test_regularizers_and_metrics_count():
    students = [student(1, kernel_regularizer=keras.regularizers.L2(0.1)), student(2)]
    penalty = 0.1 * np.square(students[0].get_weights()[0]).sum()
    mutual = Mutual(students)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="right")
    mutual.compile("sgd", loss=SPARSE, metrics={"student1": [accuracy], "student2": [accuracy, "accuracy"]})
    hard, peers = terms(students)
    right = [(z.argmax(-1) == Y)[Y >= 0].mean() for z in answers(students)]
    found = mutual.train_on_batch(X, Y, return_dict=True)
    assert found["loss"] == pytest.approx(hard.sum() + peers.sum() + penalty, rel=1e-4)
    assert found["student1_right"] == pytest.approx(right[0])
    assert found["student2_right"] == found["student2_accuracy"] == pytest.approx(right[1])


def test_evaluation_is_over_labels_whatever_the_batches():
    y = np.array([-1, -1, -1, 0, 1, 2, 0, 1], "int32")
    mutual = compiled(three())
    whole, parts = (mutual.evaluate(X, y, batch_size=size, verbose=0, return_dict=True) for size in (8, 4))
    assert parts == pytest.approx(whole, rel=1e-5)


def test_a_class_that_the_loss_ignores_is_no_label():
    mutual, ignoring = compiled(three()), Mutual(three())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    ignoring.compile("sgd", loss=loss, metrics=["accuracy"])
    expected = mutual.evaluate(X, Y, verbose=0, return_dict=True)
    found = ignoring.evaluate(X, np.where(Y < 0, 255, Y), verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-5)


def test_class_weights_leave_unlabelled_samples_alone():
    """Of a `tf.data.Dataset`, in which Keras looks for a class −1."""
    import tensorflow as tf

    weights = np.where(Y == 1, 2.0, 1.0).astype("float32")
    expected = compiled(three()).train_on_batch(X, Y, sample_weight=weights, return_dict=True)["loss"]
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    found = compiled(three()).fit(batches, class_weight={1: 2.0}, shuffle=False, verbose=0).history
    assert found["loss"] == pytest.approx([expected], rel=1e-5)


def test_evaluation_asks_the_labels_alone():
    mutual = compiled(three())
    before = mutual.get_weights()
    found = mutual.evaluate(X, Y, verbose=0, return_dict=True)
    hard, _ = terms(mutual.students.values())
    names = {f"{name}_{what}" for name in mutual.students for what in ("labels", "accuracy")}
    assert set(found) == {"loss", *names}
    assert found["loss"] == pytest.approx(hard.sum(), rel=1e-4)
    for a, b in zip(before, mutual.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_weight_of_the_peers_may_follow_a_schedule():
    peers = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.0, 2.0])
    mutual = compiled(three(), peers=peers)
    for weight in (0.0, 2.0):
        hard, of_peers = terms(mutual.students.values())
        found = mutual.train_on_batch(X, Y, return_dict=True)["loss"]
        assert found == pytest.approx(hard.sum() + weight * of_peers.sum(), rel=1e-4)


def test_the_temperature_may_follow_a_schedule():
    ramp = keras.optimizers.schedules.PolynomialDecay(8.0, decay_steps=2, end_learning_rate=2.0)
    mutual = compiled(three(), keras.optimizers.SGD(0.0), objective=objectives.Hinton(temperature=ramp))
    for temperature in (8.0, 5.0, 2.0, 2.0):
        mutual.reset_metrics()
        found = mutual.train_on_batch(X, Y, return_dict=True)
        _, peers = terms(mutual.students.values(), temperature=temperature)
        assert [found[f"{name}_peers"] for name in mutual.students] == pytest.approx(peers, rel=1e-4)


def test_goes_on_after_loading(tmp_path):
    mutual = Mutual([student(1), student(2)], peers=0.5)
    losses = {"student1": SPARSE, "student2": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    mutual.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss=losses, metrics=["accuracy"])
    mutual.train_on_batch(X, Y)
    mutual.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.train_on_batch(X, Y, return_dict=True) == mutual.train_on_batch(X, Y, return_dict=True)
    for a, b in zip(mutual.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    mutual.students["student2"].save(tmp_path / "s.keras")
    alone = keras.saving.load_model(tmp_path / "s.keras")
    assert type(alone) is keras.Sequential
    np.testing.assert_array_equal(answers([alone])[0], answers([mutual.students["student2"]])[0])


def test_a_pair_learns_digits():
    digits = data.load("digits")
    x, y = digits.train.images / np.float32(255), digits.train.labels.copy()
    y[::2] = -1

    def build(seed, width):
        keras.utils.set_random_seed(seed)
        hidden = keras.layers.Dense(width, activation="relu")
        return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), hidden, keras.layers.Dense(10)])

    mutual = Mutual({"small": build(1, 16), "large": build(2, 64)})
    mutual.compile(keras.optimizers.Adam(0.01), loss=SPARSE, metrics=["accuracy"], steps_per_execution=2)
    held = digits.validation.images / np.float32(255), digits.validation.labels
    history = mutual.fit(x, y, validation_data=held, epochs=8, batch_size=64, verbose=0).history
    assert history["val_small_accuracy"][-1] > 0.85
    assert history["val_large_accuracy"][-1] > 0.85
    assert history["small_peers"][-1] < history["small_peers"][0] / 2


def shared():
    inputs = keras.Input((5,))
    body = keras.layers.Dense(4)(inputs)
    return [keras.Model(inputs, keras.layers.Dense(3)(body)) for _ in range(2)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mutual([student()]), "Expected two or more students. Received: 1"),
        (lambda: Mutual({"a": student(), "b": keras.Sequential()}), "b: Expected the student to be built"),
        (lambda: Mutual([student(), student(units=4)]), r"same inputs and classes.*student2 .*\(None, 4\)"),
        (lambda: Mutual([student(), student(inputs=6)]), r"same inputs and classes.*\(None, 6\)"),
        (lambda: Mutual([student(units=1), student(units=1)]), "(?s)does not fit the students: .*two classes or more"),
        (lambda: Mutual(shared()), "student1 and student2 share layers"),
        (lambda: Mutual(three(), objective="hint"), "Expected an objective of logits. Received: Hint"),
        (lambda: Mutual(three(), objective="hinten"), "Unknown objective 'hinten'. Did you mean"),
        (lambda: Mutual(three(), peers=-1.0), "peers=-1"),
        (lambda: Mutual(three()).compile("sgd"), "Expected `loss`, the loss of the labels.* Received: None"),
        (lambda: Mutual(three()).compile("sgd", loss={"ann": SPARSE}), "Expected `loss`, the loss of the labels"),
        (
            lambda: Mutual(three()).compile("sgd", loss={"an": SPARSE}),
            "Unknown student in `loss` 'an'. Did you mean 'ann'",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(InputError, match=message):
        call()
