"""Weights of samples in every term of the loss: features, relations, logits and auxiliary heads."""

import keras
import numpy as np
import pytest
from references import features, logits, relations
from support.small import batch, distiller, network

from distiller import Distiller, bridges, objectives
from distiller.trainer.targets import Targets

WEIGHTS = np.array([0, 1, 4, 0, 0.5, 1, 1, 5], "float32")
# Methods that compare several layers at once.
SEVERAL = {"flow", "knowledge_review", "singular_vectors"}


# Methods that relate samples with each other, and how many they need.
FEWEST = {"relational_angle": 3, "similarity_preserving": 2, "correlation_congruence": 2, "contrastive": 2}


def answers(model, layer, of):
    """The outputs of a layer of a network, and its logits."""
    tapped = keras.Model(model.input, [model.get_layer(layer).output, model.output])
    return [np.asarray(each, "float64") for each in tapped(of)]


@pytest.mark.parametrize("column", [False, True])
def test_of_features_relations_logits_and_a_head(column):
    """The references answer one loss per sample in NumPy; their weighted mean is over all eight."""
    x, y = batch()
    student, teacher = network(), network(seed=2)
    at = {"teacher_layer": "features", "student_layer": "features"}
    compared = {
        "cosine": objectives.Cosine(**at),
        "similarity": objectives.SimilarityPreserving(**at),
        "soft": objectives.Hinton(temperature=2.0),
        "head": objectives.Hinton(temperature=3.0),
    }
    made = distiller(
        student, teacher, keras.optimizers.SGD(0.0), objectives=compared, bridge={"head": bridges.AuxiliaryHead()}
    )
    (head,) = made.heads.values()
    t, z_t = answers(teacher, "features", x)
    s, z_s = answers(student, "features", x)
    y[[1, 3, 7]] = z_s.argmax(-1)[[1, 3, 7]]
    expected = {
        "cosine": features.REFERENCES["cosine"](t, s, None, weights=[]),
        "similarity": relations.similarity_preserving(t, s),
        "soft": logits.hinton(z_t, z_s, None, 2.0),
        "head": logits.hinton(z_t, np.asarray(head(s)), None, 3.0),
    }
    weights = WEIGHTS[:, None] if column else WEIGHTS
    found = made.fit(x, y, batch_size=8, sample_weight=weights, shuffle=False, verbose=0).history
    for name, per_sample in expected.items():
        assert found[name][0] == pytest.approx((WEIGHTS * per_sample).mean(), rel=1e-3), name
        assert per_sample.mean() != pytest.approx((WEIGHTS * per_sample).mean(), rel=0.01)
    right = z_s.argmax(-1) == y
    assert found["accuracy"][0] == pytest.approx((WEIGHTS * right).sum() / WEIGHTS.sum())
    assert 0 < found["accuracy"][0] < 1


def staged(width, seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Conv2D(width, 3, activation="relu", padding="same", name="low")(inputs)
    x = keras.layers.Conv2D(2 * width, 3, strides=2, activation="relu", padding="same", name="high")(x)
    return keras.Model(inputs, keras.layers.Dense(4, name="logits")(keras.layers.GlobalAveragePooling2D()(x)))


def test_of_every_objective():
    """A term is linear in the weights: what each sample adds alone is what it adds beside others."""
    layers = {name: ["low", "high"] if name in SEVERAL else "high" for name in objectives.OBJECTIVES}
    made = Distiller(
        teacher=staged(8, 1),
        student=staged(4, 2),
        objectives={
            name: objectives.get(name)
            if kind.compares == "logits"
            else objectives.get({"name": name, "teacher_layer": layers[name], "student_layer": layers[name]})
            for name, kind in objectives.OBJECTIVES.items()
        },
    )
    made.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = batch()
    taught, outputs = made.teacher_outputs(x), made.student_outputs(x)

    def terms(weights):
        keras.utils.set_random_seed(1)
        found = made.combine(taught, outputs, Targets(y, weights)).terms
        return np.array([float(value) for name, value in sorted(found.items()) if name != "labels"])

    each, plain, found = np.stack([terms(one) for one in np.eye(8, dtype="float32")]), terms(None), terms(WEIGHTS)
    np.testing.assert_allclose(each.sum(0), plain, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(WEIGHTS @ each, found, rtol=1e-3, atol=1e-6)
    differ = np.abs(found - plain) > 0.01 * np.abs(plain)
    assert differ.all(), [name for name, other in zip(sorted(made.objectives), differ, strict=True) if not other]


def test_labels_are_those_of_the_output_that_is_compared():
    def two(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((5, 5, 1))
        x = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, {name: keras.layers.Dense(4, name=name)(x) for name in ("kind", "size")})

    x, y = batch()
    labels = {"kind": y, "size": (y + 1) % 4}
    at = {name: {"teacher_layer": name, "student_layer": name} for name in labels}
    teacher, student = two(2), two(1)
    compared = {f"apart_{name}": objectives.Decoupled(**at[name]) for name in labels}
    made = Distiller(teacher=teacher, student=student, objectives=compared)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.SGD(0.0), loss=dict.fromkeys(labels, loss))
    found = made.train_on_batch(x, labels, return_dict=True)
    for name, of in labels.items():
        expected = logits.decoupled(np.asarray(teacher(x)[name]), np.asarray(student(x)[name]), of)
        assert found[f"apart_{name}"] == pytest.approx(expected.mean(), rel=1e-3)


def test_batches_as_small_as_can_be_related_count_and_smaller_ones_cost_nothing():
    """Three samples have an angle; below, adapters have gradients of zero, and an optimiser misses none."""
    at = {"teacher_layer": "high", "student_layer": "high"}
    compared = {name: objectives.get({"name": name, **at}) for name in objectives.OBJECTIVES if name in FEWEST}
    made = Distiller(teacher=staged(8, 1), student=staged(4, 2), objectives=compared)
    made.compile(keras.optimizers.SGD(0.0), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = batch()
    found = made.train_on_batch(x[:1], y[:1], return_dict=True)
    assert [found[name] for name in compared] == [0.0] * 4
    for count in (1, 2, 3):
        terms = made.combine(made.teacher_outputs(x[:count]), made.student_outputs(x[:count]), Targets(y[:count])).terms
        assert {name for name in compared if float(terms[name]) != 0} == {
            n for n, few in FEWEST.items() if few <= count
        }


class Beside(keras.layers.Layer):
    """The sum of a sequence and of one vector at all of its positions, with the mask of the sequence."""

    def call(self, inputs):
        return inputs[0] + inputs[1][:, None]

    def compute_mask(self, inputs, previous_mask):
        return previous_mask[0]


def test_a_mask_of_positions_does_not_count_the_samples_of_features():
    """Logits are a mean over shown positions, six of twelve, and features of sentences over all four of them."""

    def masked(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((3,))
        x = keras.layers.Embedding(9, 6, keras.initializers.RandomNormal(stddev=2.0), mask_zero=True)(inputs)
        x = Beside()([x, keras.layers.GlobalAveragePooling1D(name="summary")(x)])
        return keras.Model(inputs, keras.layers.Dense(4, name="tags")(x))

    words = np.array([[1, 0, 0], [2, 3, 0], [4, 5, 0], [6, 0, 0]])
    teacher, student, shown = masked(2), masked(1), words > 0
    summary = {"teacher_layer": "summary", "student_layer": "summary"}
    compared = {"cosine": objectives.Cosine(**summary), "soft": objectives.Hinton(temperature=2.0)}
    made = Distiller(teacher=teacher, student=student, objectives=compared)
    made.compile(keras.optimizers.SGD(0.0), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    found = made.train_on_batch(words, np.ones((4, 3), int), return_dict=True)
    (t, z_t), (s, z_s) = answers(teacher, "summary", words), answers(student, "summary", words)
    assert found["cosine"] == pytest.approx(features.REFERENCES["cosine"](t, s, None, weights=[]).mean(), rel=1e-3)
    assert found["soft"] == pytest.approx(logits.hinton(z_t[shown], z_s[shown], None, 2.0).mean(), rel=1e-3)


@pytest.mark.parametrize("form", ["classes", "a column", "rows"])
def test_of_positions_reach_features_as_their_mean(form):
    """A sample of a sequence counts as much as its positions do on average."""

    def tagger(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((3, 5))
        x = keras.layers.Dense(6, activation="tanh", name="wide")(inputs)
        pooled = keras.layers.GlobalAveragePooling1D(name="summary")(x)
        y = keras.layers.Dense(4, name="tags")(keras.layers.Concatenate()([x, keras.layers.RepeatVector(3)(pooled)]))
        return keras.Model(inputs, y)

    teacher, student = tagger(2), tagger(1)
    rng = np.random.default_rng(0)
    x, tags = rng.normal(size=(8, 3, 5)).astype("float32"), rng.integers(0, 4, (8, 3))
    weights = rng.random((8, 3)).astype("float32")
    labels = {"classes": tags, "a column": tags[..., None], "rows": np.eye(4, dtype="float32")[tags]}[form]
    losses = keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy
    made = Distiller(
        teacher=teacher,
        student=student,
        objectives={
            "cosine": objectives.Cosine(teacher_layer="summary", student_layer="summary"),
            "soft": objectives.Hinton(temperature=2.0),
            "apart": objectives.Decoupled(),
        },
    )
    made.compile(
        keras.optimizers.SGD(0.0),
        loss=losses[form == "rows"](from_logits=True),
        metrics=["accuracy"],
    )
    found = made.fit(x, labels, sample_weight=weights, batch_size=8, verbose=0).history
    (t, z_t), (s, z_s) = answers(teacher, "summary", x), answers(student, "summary", x)
    cosine = features.REFERENCES["cosine"](t, s, None, weights=[])
    rows = z_t.reshape(-1, 4), z_s.reshape(-1, 4)
    soft, apart = logits.hinton(*rows, None, 2.0), logits.decoupled(*rows, tags.ravel())
    assert found["cosine"][0] == pytest.approx((weights.mean(1) * cosine).mean(), rel=1e-3)
    assert found["soft"][0] == pytest.approx((weights.ravel() * soft).mean(), rel=1e-3)
    assert found["apart"][0] == pytest.approx((weights.ravel() * apart).mean(), rel=1e-3)
    right = z_s.argmax(-1) == tags
    assert found["accuracy"][0] == pytest.approx((weights * right).sum() / weights.sum(), rel=1e-5)
    assert 0 < found["accuracy"][0] < 1
