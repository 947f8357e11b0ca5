"""Labels that are independent of each other, one Bernoulli distribution each, beside a binary loss."""

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.special import expit, rel_entr

from distiller import Distiller, bridges, objectives, teachers
from distiller.errors import InputError
from distiller.objectives.independent import of_each_label

RNG = np.random.default_rng(7)
X = RNG.normal(size=(12, 4)).astype("float32")
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
SERVED = {"hinton": objectives.Hinton, "ttm": objectives.TTM, "wttm": objectives.WTTM}


def network(labels, seed, activation=None):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(labels, activation=activation)(inputs))


def labels_of(labels):
    return (np.arange(12 * labels).reshape(12, labels) % 3 == 0).astype("float32")


def divergence(p, q):
    """Of Bernoulli distributions, by SciPy."""
    return rel_entr(p, q) + rel_entr(1 - p, 1 - q)


def expected(name, teacher, student, temperature):
    t, s = np.asarray(teacher, "float64"), np.asarray(student, "float64")
    if name == "hinton":
        return (temperature**2 * divergence(expit(t / temperature), expit(s / temperature))).mean(-1)
    matched = divergence(expit(t / temperature), expit(s))
    powers = expit(t) ** (1 / temperature) + expit(-t) ** (1 / temperature)
    return (matched * (powers if name == "wttm" else 1)).mean(-1)


def distiller(objective, labels=3, loss=BINARY, **options):
    made = Distiller(teacher=network(labels, 2), student=network(labels, 1), objectives={"soft": objective}, **options)
    made.compile(keras.optimizers.SGD(0.0), loss=loss)
    return made


@pytest.mark.parametrize("loss", [BINARY, keras.losses.BinaryFocalCrossentropy(from_logits=True)])
@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("name", SERVED)
def test_each_label_by_itself(name, labels, loss):
    model = distiller(SERVED[name](temperature=2.0), labels, loss)
    answers = [np.asarray(one(X)) for one in (model.teacher, model.student)]
    found = model.fit(X, labels_of(labels), batch_size=12, verbose=0).history
    assert found["soft"][0] == pytest.approx(expected(name, *answers, 2.0).mean(), rel=1e-4)
    alone = network(labels, 1)
    alone.compile("sgd", loss=loss)
    assert found["labels"][0] == pytest.approx(alone.evaluate(X, labels_of(labels), verbose=0), rel=1e-5)


def test_a_teacher_that_says_all_teaches_a_student_that_says_none():
    """Softmaxes of the two are the same."""
    all_of, none = np.full((2, 3), 6.0), np.full((2, 3), -6.0)
    objective = objectives.Hinton(temperature=1.0, independent=True)
    loss = np.asarray(objective(all_of, none))
    np.testing.assert_allclose(loss, divergence(expit(6.0), expit(-6.0)), rtol=1e-5)
    assert np.asarray(objectives.hinton(all_of, none)) == pytest.approx([0, 0])


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("scale", [1, 200])
def test_the_gradient_is_that_of_the_difference_of_probabilities(name, scale):
    from support.gradients import gradients

    teacher, student = (RNG.normal(size=(5, 4)).astype("float32") * scale for _ in range(2))
    _, (found,), _ = gradients(SERVED[name](temperature=2.0, independent=True), teacher, student)
    t, s = teacher.astype("float64"), student.astype("float64")
    if name == "hinton":
        slope = 2 * (expit(s / 2) - expit(t / 2))
    else:
        slope = expit(s) - expit(t / 2)
        slope *= expit(t) ** 0.5 + expit(-t) ** 0.5 if name == "wttm" else 1
    np.testing.assert_allclose(found, slope / 4, rtol=1e-3, atol=1e-6)


def test_logits_themselves_are_compared_as_ever():
    model = distiller("mean_squared_logits")
    apart = np.square(np.asarray(model.teacher(X)) - np.asarray(model.student(X))).mean()
    assert model.fit(X, labels_of(3), batch_size=12, verbose=0).history["soft"][0] == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize(
    "objective",
    [
        "decoupled",
        "dist",
        "standardized",
        "multi_level",
        {"name": "hinton", "independent": False},
        objectives.FromKeras(keras.distillation.LogitsDistillation()),
        teachers.Virtual(),
    ],
    ids=str,
)
def test_objectives_on_softmaxes_are_refused(objective):
    with pytest.raises(InputError, match="'soft' compares softmaxes over classes, and beside a binary loss"):
        distiller(objective)


@pytest.mark.parametrize("loss", ["mse", keras.losses.Hinge(), lambda y, z: keras.ops.mean((y - z) ** 2, -1)])
def test_one_logit_needs_a_binary_loss(loss):
    with pytest.raises(InputError, match=r"softmax of one logit is 1.*BinaryCrossentropy.*independent=True"):
        distiller("hinton", 1, loss)
    distiller({"name": "hinton", "independent": True}, 1, loss)


def test_the_form_follows_the_loss_that_is_compiled_last(tmp_path):
    model = distiller(objectives.Hinton(temperature=2.0))
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss=sparse)
    classes = model.fit(X, np.arange(12) % 3, batch_size=12, verbose=0).history["soft"][0]
    logits = [np.asarray(one(X)) for one in (model.teacher, model.student)]
    assert classes == pytest.approx(reference.hinton(*logits, None, 2.0).mean(), rel=1e-4)
    model.compile(keras.optimizers.SGD(0.0), loss=BINARY)
    model.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    binary = [one.fit(X, labels_of(3), batch_size=12, verbose=0).history["soft"][0] for one in (model, loaded)]
    answers = [np.asarray(one(X)) for one in (model.teacher, model.student)]
    assert binary == pytest.approx([expected("hinton", *answers, 2.0).mean()] * 2, rel=1e-4)
    assert classes != pytest.approx(binary[0], rel=0.05)


def test_answers_that_are_probabilities_are_no_logits():
    inputs = keras.Input((4,))
    student = keras.Model(inputs, keras.layers.Dense(3, "sigmoid")(inputs))
    made = Distiller(teacher=network(3, 2), student=student, objectives={"soft": "mean_squared_logits"})
    with pytest.raises(InputError, match="student answers probabilities"):
        made.compile("sgd", loss=keras.losses.BinaryCrossentropy())
    with pytest.raises(InputError, match="The loss takes logits, and the student ends in a sigmoid"):
        made.compile("sgd", loss=BINARY)


def test_a_mixture_of_classes_is_no_teacher_of_independent_labels():
    mixed = bridges.ClassMap([[0, 1], [2], [3]])
    made = Distiller(teacher=network(4, 2), student=network(3, 1), objectives={"soft": "hinton"}, bridge=mixed)
    with pytest.raises(InputError, match="makes one distribution over classes"):
        made.compile("sgd", loss=BINARY)
    some = Distiller(
        teacher=network(4, 2), student=network(3, 1), objectives={"soft": "hinton"}, bridge=bridges.Subset([3, 1, 0])
    )
    some.compile(keras.optimizers.SGD(0.0), loss=BINARY)
    answers = np.asarray(network(4, 2)(X))[:, [3, 1, 0]], np.asarray(some.student(X))
    found = some.fit(X, labels_of(3), batch_size=12, verbose=0).history["soft"][0]
    assert found == pytest.approx(expected("hinton", *answers, 4.0).mean(), rel=1e-4)


@pytest.mark.parametrize("labels", [1, 3])
def test_students_that_teach_each_other(labels):
    students = [network(labels, 1), network(labels, 2)]
    if labels == 1:
        with pytest.raises(
            InputError, match=r"For one independent label give objectives.Hinton\(1.0, independent=True\)"
        ):
            teachers.Mutual(students)
    mutual = teachers.Mutual(students, objective=objectives.Hinton(1.0, independent=True) if labels == 1 else None)
    mutual.compile(keras.optimizers.SGD(0.0), loss=BINARY)
    answers = [np.asarray(one(X)) for one in mutual.students.values()]
    found = mutual.fit(X, labels_of(labels), batch_size=12, verbose=0).history
    assert found["student1_peers"][0] == pytest.approx(expected("hinton", *answers[::-1], 1.0).mean(), rel=1e-4)
    with pytest.raises(InputError, match="for all students or for none"):
        mutual.compile("sgd", loss={"student1": BINARY, "student2": "mse"})


def test_each_of_several_outputs_has_its_form():
    def two(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4,))
        return keras.Model(inputs, {n: keras.layers.Dense(3, name=n)(inputs) for n in ("kind", "tags")})

    soft = {n: objectives.Hinton(2.0, teacher_layer=n, student_layer=n) for n in ("kind", "tags")}
    model = Distiller(teacher=two(2), student=two(1), objectives=soft)
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss={"kind": sparse, "tags": BINARY})
    y = {"kind": np.arange(12) % 3, "tags": labels_of(3)}
    found = model.fit(X, y, batch_size=12, verbose=0).history
    answers = {n: [np.asarray(one(X)[n]) for one in (model.teacher, model.student)] for n in soft}
    assert found["tags"][0] == pytest.approx(expected("hinton", *answers["tags"], 2.0).mean(), rel=1e-4)
    softmaxes = reference.hinton(*answers["kind"], None, 2.0).mean()
    assert found["kind"][0] == pytest.approx(softmaxes, rel=1e-4)


def test_labels_of_other_shapes():
    with pytest.raises(InputError, match="logits of the same shape"):
        of_each_label(np.zeros((2, 3)), np.zeros((2, 1)), objectives.hinton)
