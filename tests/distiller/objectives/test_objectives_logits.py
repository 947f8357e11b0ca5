"""Logit objectives against their references, and the properties that their papers claim."""

import keras
import numpy as np
import pytest
from keras import ops
from references import logits as reference
from scipy.stats import zscore

from distiller import objectives
from distiller.errors import InputError
from distiller.objectives import logits
from distiller.objectives.logits.z_score import z_score
from distiller.objectives.objective import Objective

BATCH = 6
# From a temperature: the arguments of the objective and, where they differ, of the reference.
CONFIGS = {
    "hinton": lambda t: {"temperature": t},
    "mean_squared_logits": lambda t: {},
    "decoupled": lambda t: {"alpha": 1.5, "beta": 3.0, "temperature": t},
    "dist": lambda t: {"beta": 1.5, "gamma": 0.5, "temperature": t},
    "ttm": lambda t: {"temperature": t},
    "wttm": lambda t: {"temperature": max(1.0, t)},
    "standardized": lambda t: {"objective": {"name": "hinton", "temperature": t}},
    "multi_level": lambda t: {"temperatures": [t, 2 * t]},
}
REFERENCE_CONFIGS = {**CONFIGS, "standardized": lambda t: {"temperature": t}}
NAMES = list(logits.OBJECTIVES)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def pair(rng, classes, batch=BATCH, scale=3.0):
    return tuple(rng.normal(scale=scale, size=(batch, classes)).astype("float32") for _ in range(2))


def values(tensor):
    return ops.convert_to_numpy(tensor)


def build(name, temperature=4.0):
    return objectives.get({"name": name, **CONFIGS[name](temperature)})


def gradient(loss, student):
    """Gradient of the sum of `loss(student)`."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: ops.sum(loss(x)))(ops.convert_to_tensor(student)))
    import tensorflow as tf

    student = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(student)
        total = tf.reduce_sum(loss(student))
    return tape.gradient(total, student).numpy()


def test_every_objective_has_a_reference():
    assert set(reference.REFERENCES) == set(NAMES) == set(CONFIGS)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_reference(rng, name, classes, temperature):
    teacher, student = pair(rng, classes)
    labels = rng.integers(classes, size=BATCH)
    expected = reference.REFERENCES[name](teacher, student, labels, **REFERENCE_CONFIGS[name](temperature))
    loss = build(name, temperature)(teacher, student, labels)
    np.testing.assert_allclose(values(loss), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_equal_those_of_the_reference(rng, name):
    teacher, student = pair(rng, 10)
    labels = rng.integers(10, size=BATCH)
    expected = reference.REFERENCES[name](teacher, student, labels)
    np.testing.assert_allclose(values(objectives.get(name)(teacher, student, labels)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_finite_where_softmax_saturates(rng, name, classes):
    teacher, student = (np.sign(x) * 200 for x in pair(rng, classes))
    teacher[0], student[1] = 200.0, -200.0  # a teacher and a student that tell no class from another
    labels = np.arange(BATCH) % classes
    assert np.isfinite(gradient(lambda x: build(name)(teacher, x, labels), student)).all()


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_finite_for_a_student_of_zeros(rng, name, classes):
    teacher, student = pair(rng, classes)
    labels = np.arange(BATCH) % classes
    steps = gradient(lambda x: build(name)(teacher, x, labels), np.zeros_like(student))
    assert np.abs(steps).max() < 100


@pytest.mark.parametrize("kind", ["zeros", "one sample again and again"])
@pytest.mark.parametrize("name", NAMES)
def test_finite_where_nothing_varies(rng, name, kind):
    teacher, student = ((0 if kind == "zeros" else 1) * np.repeat(x, BATCH, axis=0) for x in pair(rng, 10, batch=1))
    labels = np.arange(BATCH)
    assert np.isfinite(values(build(name)(teacher, student, labels))).all()
    assert np.isfinite(gradient(lambda x: build(name)(teacher, x, labels), student)).all()


# The first two are infinite then; of the third a column of no probability is constant, and has no direction.
RULING_OUT = [name for name in NAMES if name not in ("mean_squared_logits", "standardized", "dist")]


@pytest.mark.parametrize("both", [False, True], ids=["teacher", "teacher and student"])
@pytest.mark.parametrize("name", RULING_OUT)
def test_a_class_that_the_teacher_rules_out_counts_as_one_of_no_probability(rng, name, both):
    """A logit of −inf is the limit of one far below the others, in the loss and in its gradient."""
    teacher, student = pair(rng, 10)
    labels = rng.integers(9, size=BATCH)
    found, expected = [], []
    for low, answers in ((-np.inf, found), (-5e3, expected)):
        t, s = teacher.copy(), student.copy()
        t[:, 9] = low
        s[:, 9] = low if both else s[:, 9]
        answers += [
            values(build(name)(t, s, labels)),
            gradient(lambda x, name=name, t=t: build(name)(t, x, labels), s)[:, :9],
        ]
    assert np.abs(expected[0]).min() > 1e-3
    for ours, limit in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, limit, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("both", [False, True], ids=["teacher", "teacher and student"])
def test_dist_of_a_class_that_is_ruled_out(rng, both):
    """Its column is constant: it correlates with nothing, and adds ½, or 0 where both are."""
    teacher, student = pair(rng, 10)
    teacher[:, 9] = -np.inf
    student[:, 9] = -np.inf if both else student[:, 9]
    p, q = (reference.probabilities(logits, 2.0) for logits in (teacher, student))
    of_rows = np.square(zscore(p, axis=1) - zscore(q, axis=1)).mean(axis=1) / 2
    apart = np.square(zscore(p[:, :9], axis=0) - zscore(q[:, :9], axis=0)).sum(axis=1)
    apart += 0 if both else np.square(zscore(q[:, 9]))
    found = objectives.dist(teacher, student, 1.5, 0.5, 2.0)
    np.testing.assert_allclose(values(found), 4 * (1.5 * of_rows + 0.5 * apart / 20), rtol=1e-4)
    assert np.isfinite(gradient(lambda x: objectives.dist(teacher, x), student)).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradient_follows_the_reference(rng, name):
    """Along one direction, against central differences of the float64 reference."""
    teacher, student = pair(rng, 10)
    labels = rng.integers(10, size=BATCH)
    direction = rng.normal(size=student.shape)
    ahead, behind = (
        reference.REFERENCES[name](teacher, student + step * direction, labels, **REFERENCE_CONFIGS[name](2.0)).sum()
        for step in (1e-5, -1e-5)
    )
    slope = np.sum(gradient(lambda x: build(name, 2.0)(teacher, x, labels), student) * direction)
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_works_in_a_graph_with_an_unknown_batch(name):
    spec = keras.KerasTensor((None, 10))
    assert build(name)(spec, spec, keras.KerasTensor((None,), dtype="int32")).shape == (None,)


@pytest.mark.parametrize(("of_teacher", "of_student"), [((6, 5), (6, 3)), ((6, 5), (6, 1)), ((6, 5), (1, 5))])
@pytest.mark.parametrize("name", NAMES)
def test_refuses_logits_of_other_shapes(rng, name, of_teacher, of_student):
    """Those that broadcast would give a number that means nothing."""
    message = f"teacher {of_teacher} and student {of_student}".replace("(", r"\(").replace(")", r"\)")
    labels = np.zeros(of_student[0], "int32")
    with pytest.raises(InputError, match=f"Expected logits of the same shape.*Received: {message}"):
        build(name)(rng.normal(size=of_teacher), rng.normal(size=of_student), labels)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "standardized"])
def test_refuses_other_classes_before_data(name):
    teacher, student = keras.KerasTensor((None, 5)), keras.KerasTensor((None, 3))
    with pytest.raises(InputError, match=r"Received: teacher \(\w+, 5\) and student \(\w+, 3\)"):
        build(name)(teacher, student, keras.KerasTensor((None,), dtype="int32"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mean_squared_logits"])
def test_refuses_a_single_logit(rng, name):
    with pytest.raises(InputError, match=r"two classes or more.*Received: \(6, 1\)"):
        build(name)(*pair(rng, 1), np.zeros(BATCH, "int32"))


class TestDecoupled:
    def test_with_the_weights_of_equation_6_it_is_hinton(self, rng):
        """2203.08679, equation 6: KD = TCKD + (1 − p_target) · NCKD, for one sample."""
        teacher, student = pair(rng, 10)
        labels = rng.integers(10, size=BATCH)
        rest = 1 - reference.probabilities(teacher, 4.0)[np.arange(BATCH), labels]
        combined = [
            values(logits.decoupled(teacher[i : i + 1], student[i : i + 1], labels[i : i + 1], 1.0, rest[i]))[0]
            for i in range(BATCH)
        ]
        np.testing.assert_allclose(combined, reference.hinton(teacher, student, None), rtol=1e-4)

    def test_two_classes_leave_the_binary_divergence(self, rng):
        teacher, student = pair(rng, 2)
        loss = logits.decoupled(teacher, student, np.zeros(BATCH, "int32"), beta=1e6)
        np.testing.assert_allclose(values(loss), reference.hinton(teacher, student, None), rtol=1e-4)

    @pytest.mark.parametrize("labels", [np.full(BATCH, -1), np.full((BATCH, 5), 0.2), np.full((BATCH, 5), -1), None])
    def test_labels_that_name_no_class_leave_it_to_the_teacher(self, rng, labels):
        teacher, student = pair(rng, 5)
        expected = reference.decoupled(teacher, student, teacher.argmax(axis=-1))
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, labels)), expected, rtol=1e-4)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_one_hot_and_smoothed_labels_mean_their_class(self, rng, smoothing):
        teacher, student = pair(rng, 5)
        labels = rng.integers(5, size=BATCH)
        soft = np.eye(5)[labels] * (1 - smoothing) + smoothing / 5
        expected = reference.decoupled(teacher, student, labels)
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, soft)), expected, rtol=1e-4)

    def test_mixed_labels_have_two_targets(self, rng):
        teacher, student = pair(rng, 5)
        mixed = 0.7 * np.eye(5)[[0, 1, 2, 3, 4, 0]] + 0.3 * np.eye(5)[[1, 2, 3, 4, 0, 2]]
        expected = reference.decoupled(teacher, student, mixed)
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, mixed)), expected, rtol=1e-4)
        assert not np.allclose(expected, reference.decoupled(teacher, student, mixed.argmax(axis=-1)))

    def test_labels_may_come_as_a_column(self, rng):
        teacher, student = pair(rng, 5)
        labels = rng.integers(5, size=BATCH)
        column = values(logits.decoupled(teacher, student, labels[:, None]))
        np.testing.assert_array_equal(column, values(logits.decoupled(teacher, student, labels)))

    def test_refuses_labels_of_other_classes(self, rng):
        with pytest.raises(InputError, match=r"\(batch,\) or \(batch, 5\).*Received: labels of shape \(6, 3\)"):
            logits.decoupled(*pair(rng, 5), np.zeros((BATCH, 3)))


class TestDist:
    def test_mean_is_the_loss_of_the_paper(self, rng):
        teacher, student = pair(rng, 10)
        p, q = reference.probabilities(teacher, 4.0), reference.probabilities(student, 4.0)
        inter = np.mean(1 - reference.dist_columns(p.T, q.T))
        intra = np.mean(1 - reference.dist_columns(p, q))
        loss = values(logits.dist(teacher, student, beta=2.0, gamma=3.0))
        np.testing.assert_allclose(loss.mean(), 16 * (2 * inter + 3 * intra), rtol=1e-4)
        assert (loss >= 0).all()

    @pytest.mark.parametrize("shares", ["one a sample", "one for all"])
    def test_invariant_to_affine_maps_of_probabilities(self, rng, shares):
        """A row mixed with the uniform distribution is an affine map of it; with one share for all, so are columns."""
        teacher, _ = pair(rng, 10)
        share = rng.uniform(0.2, 0.9, size=(BATCH, 1) if shares == "one a sample" else (1, 1))
        student = np.log(share * reference.probabilities(teacher) + (1 - share) / 10)
        gamma = 0.0 if shares == "one a sample" else 1.0
        loss = logits.dist(teacher, student, gamma=gamma, temperature=1.0)
        np.testing.assert_allclose(values(loss), 0.0, atol=1e-5)

    def test_a_batch_of_one_has_no_intra_term(self, rng):
        one = pair(rng, 10, batch=1)
        np.testing.assert_array_equal(values(logits.dist(*one, gamma=5.0)), values(logits.dist(*one, gamma=0.0)))

    def test_a_constant_row_costs_a_half(self, rng):
        teacher, student = pair(rng, 10)
        loss = logits.dist(teacher, np.zeros_like(student), beta=1.0, gamma=0.0, temperature=1.0)
        np.testing.assert_allclose(values(loss), 0.5, rtol=1e-5)

    def test_classes_that_the_whole_batch_finds_improbable_still_count(self, rng):
        teacher, student = pair(rng, 10)
        for x in (teacher, student):
            x[:, 3] -= 150.0
        p = reference.probabilities(teacher.astype("float64"))
        q = reference.probabilities(student.astype("float64"))
        expected = np.mean(1 - reference.dist_columns(p * 1e60, q * 1e60))
        loss = values(logits.dist(teacher, student, beta=0.0, gamma=1.0, temperature=1.0))
        np.testing.assert_allclose(loss.mean(), expected, rtol=1e-4)


class TestTransformedTeacher:
    @pytest.mark.parametrize("name", ["ttm", "wttm"])
    def test_zero_where_the_student_is_the_softened_teacher(self, rng, name):
        teacher, _ = pair(rng, 10)
        np.testing.assert_allclose(values(build(name, 4.0)(teacher, teacher / 4.0 + 1.0, None)), 0.0, atol=1e-5)

    def test_is_hinton_less_the_entropy_of_the_student(self, rng):
        """2402.11148, equation 15, with Rényi's entropy of order 1 / temperature."""
        teacher, student = pair(rng, 10)
        temperature, q = 4.0, reference.probabilities(student)
        renyi = np.log(np.sum(q ** (1 / temperature), axis=-1)) / (1 - 1 / temperature)
        shannon = reference.entropy(reference.probabilities(teacher, temperature), axis=-1)
        classic = reference.hinton(teacher, student, None, temperature) / temperature
        expected = classic - (temperature - 1) * (renyi - shannon)
        np.testing.assert_allclose(values(logits.ttm(teacher, student, temperature)), expected, rtol=1e-4)

    def test_gradient_is_the_difference_of_probabilities(self, rng):
        """2402.11148, equation 20."""
        teacher, student = pair(rng, 10)
        expected = reference.probabilities(student) - reference.probabilities(teacher, 10.0)
        steps = gradient(lambda x: logits.ttm(teacher, x), student)
        np.testing.assert_allclose(steps, expected, rtol=1e-4, atol=1e-6)

    def test_weight_is_between_a_sure_teacher_and_one_that_cannot_tell(self, rng):
        teacher, student = np.array([[200.0] + 9 * [0.0], 10 * [0.0]], "float32"), pair(rng, 10, batch=2)[1]
        ratio = values(logits.wttm(teacher, student, 4.0)) / values(logits.ttm(teacher, student, 4.0))
        np.testing.assert_allclose(ratio, [1.0, 10**0.75], rtol=1e-4)


class TestStandardized:
    @pytest.mark.parametrize("inside", [name for name in NAMES if name != "standardized"])
    def test_invariant_to_shift_and_scale(self, rng, inside):
        teacher, student = pair(rng, 10)
        labels = rng.integers(10, size=BATCH)
        objective = objectives.get({"name": "standardized", "objective": inside})
        scale, shift = rng.uniform(0.2, 3.0, size=(2, BATCH, 1)), rng.normal(scale=5.0, size=(2, BATCH, 1))
        moved = objective(scale[0] * teacher + shift[0], scale[1] * student + shift[1], labels)
        np.testing.assert_allclose(values(moved), values(objective(teacher, student, labels)), rtol=1e-3, atol=1e-5)

    def test_two_classes_leave_which_one_leads(self, rng):
        teacher, student = np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([[0.2, 0.1], [0.1, 0.2]])
        loss = values(objectives.get("standardized")(teacher, student, None))
        expected = reference.hinton([[1.0, -1.0]] * 2, [[1.0, -1.0], [-1.0, 1.0]], None, 2.0)
        np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize(
        "inside", [None, "decoupled", {"name": "hinton", "temperature": 3.0}, logits.Dist(gamma=0)]
    )
    def test_round_trip_with_what_is_inside(self, inside):
        objective = logits.Standardized(objective=inside)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
        assert type(copy.objective) is type(objective.objective)
        assert copy.get_config() == objective.get_config()

    def test_tracks_what_is_inside(self):
        objective = logits.Standardized(objective="decoupled")
        assert objective.objective in objective._flatten_layers()

    def test_refuses_what_does_not_compare_logits(self):
        class Features(Objective):
            compares = "features"

        with pytest.raises(InputError, match=r"compares logits\. Received: Features, of features"):
            logits.Standardized(objective=Features())

    def test_refuses_taps_that_would_not_count(self):
        with pytest.raises(InputError, match=r"on Standardized.*teacher_layer='head'"):
            logits.Standardized(objective=logits.Hinton(teacher_layer="head"))

    def test_unknown_objective_names_the_nearest(self):
        with pytest.raises(InputError, match="Did you mean 'hinton'"):
            logits.Standardized(objective="hintn")


class TestZScore:
    def test_zeros_where_nothing_varies(self):
        equal = np.full((2, 97), 199.97, "float32")
        np.testing.assert_array_equal(values(z_score(equal, -1)), 0.0)
        np.testing.assert_array_equal(gradient(lambda x: z_score(x, -1), equal), 0.0)

    def test_mean_0_and_deviation_1(self, rng):
        scores = values(z_score(pair(rng, 10, scale=0.01)[0], -1))
        np.testing.assert_allclose(scores.mean(axis=-1), 0.0, atol=1e-5)
        np.testing.assert_allclose(scores.std(axis=-1), 1.0, rtol=1e-4)


class TestMultiLevel:
    def test_mean_is_the_loss_of_the_paper(self, rng):
        teacher, student = pair(rng, 10)
        p, q = reference.probabilities(teacher, 2.0), reference.probabilities(student, 2.0)
        expected = (
            reference.hinton(teacher, student, None, 2.0).mean()
            + np.sum((p @ p.T - q @ q.T) ** 2) / BATCH
            + np.sum((p.T @ p - q.T @ q) ** 2) / 10
        )
        np.testing.assert_allclose(values(logits.multi_level(teacher, student, [2.0])).mean(), expected, rtol=1e-4)

    @pytest.mark.parametrize("temperatures", [[], 4.0, "4", [4.0, -1.0]])
    def test_refuses_temperatures_that_are_not_positive_numbers(self, temperatures):
        with pytest.raises(InputError, match=r"temperatures.*positive number.*Received"):
            logits.MultiLevel(temperatures=temperatures)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["hinton", "decoupled", "dist", "ttm", "wttm", "multi_level", "standardized"])
def test_refuses_a_temperature_that_is_not_positive(name, temperature):
    arguments = {
        "multi_level": {"temperatures": [4.0, temperature]},
        "standardized": {"objective": {"name": "hinton", "temperature": temperature}},
    }.get(name, {"temperature": temperature})
    with pytest.raises(InputError, match=f"temperature.*Expected .* Received: temperatures?={temperature}"):
        objectives.get({"name": name, **arguments})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("decoupled", {"alpha": -1.0}),
        ("decoupled", {"beta": float("nan")}),
        ("dist", {"beta": -1.0}),
        ("dist", {"gamma": float("inf")}),
        ("wttm", {"temperature": 0.9}),
    ],
)
def test_refuses_arguments_out_of_range(name, arguments):
    with pytest.raises(InputError, match=f"`{next(iter(arguments))}`. Expected .* Received"):
        objectives.get({"name": name, **arguments})
