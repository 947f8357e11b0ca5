"""Logit objectives against their references, and what they refuse."""

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.stats import zscore
from support.logit_objectives import BATCH, CONFIGS, NAMES, REFERENCE_CONFIGS, build, gradient, pair, values

from distiller import objectives
from distiller.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(5)


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
