"""Bridges between label spaces: their arithmetic, their networks and their messages."""

import functools

import keras
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from distiller import Distiller, bridges, models, objectives
from distiller.bridges.class_map import NEVER, grouped_logits
from distiller.bridges.transport import most_likely
from distiller.errors import InputError

FINE, COARSE = 100, 10
# tensorflow_datasets' `coarse_label` of each `label` of CIFAR-100, read from its images.
SUPERCLASS = [
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
]
SUPERCLASSES = [
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables"),
    *(
        "household_electrical_devices",
        "household_furniture",
        "insects",
        "large_carnivores",
        "large_man-made_outdoor_things",
    ),
    *(
        "large_natural_outdoor_scenes",
        "large_omnivores_and_herbivores",
        "medium_mammals",
        "non-insect_invertebrates",
        "people",
    ),
    *("reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2"),
]


def network(classes=FINE, seed=1, width=8):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(width, activation="relu", name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="teacher")


def images(n=80, classes=COARSE):
    """Images whose class shows: each class is brighter by its own pattern."""
    rng = np.random.default_rng(5)
    labels = np.arange(n) % classes
    patterns = rng.normal(size=(classes, 4, 4, 1))
    return (rng.normal(size=(n, 4, 4, 1)) + 2 * patterns[labels]).astype("float32"), labels.astype("int32")


def plain(classes):
    """A network whose logits are its inputs."""
    inputs = keras.Input((classes,))
    return keras.Model(inputs, keras.layers.Identity()(inputs), name="plain")


def answer(model, x):
    return np.asarray(keras.ops.convert_to_numpy(model(x)), "float64")


def in_groups(logits, groups):
    """The formula of `ClassMap` in float64."""
    return np.stack([logsumexp(np.asarray(logits, "float64")[:, group], axis=-1) for group in groups], axis=-1)


MAKE = {
    "subset": lambda teacher, data, classes: bridges.Subset(range(classes)),
    "class_map": lambda teacher, data, classes: bridges.ClassMap([[2 * i, 2 * i + 1] for i in range(classes)]),
    "transport": lambda teacher, data, classes, held=None: bridges.Transport().fit(
        teacher, data, held or data, classes
    ),
    "probe": lambda teacher, data, classes, held=None: bridges.Probe().fit(teacher, data, held or data, classes),
    "hidden": lambda teacher, data, classes, held=None: bridges.Probe(1.0, hidden=5).fit(
        teacher, data, held or data, classes
    ),
}


@functools.cache
def made(kind):
    """A teacher of 100 classes, images of 10 and a bridge between them, made once."""
    teacher, data = network(), images()
    teacher.layers[1].trainable = False
    return teacher, data, MAKE[kind](teacher, data, COARSE)


class TestEveryBridge:
    @pytest.mark.parametrize("kind", MAKE)
    def test_is_saved_and_loaded(self, kind, tmp_path):
        teacher, (x, _), bridge = made(kind)
        bridged = bridge.teacher(teacher, COARSE)
        bridged.save(tmp_path / "bridged.keras")
        found = answer(keras.saving.load_model(tmp_path / "bridged.keras"), x)
        assert found.shape == (len(x), COARSE)
        np.testing.assert_array_equal(found, answer(bridged, x))

    @pytest.mark.parametrize("kind", MAKE)
    def test_teaches_in_a_distiller_and_leaves_the_teacher_as_it_was(self, kind):
        teacher, data, bridge = made(kind)
        student = network(COARSE, seed=3)
        p, q = (log_softmax(answer(m, data[0]) / 4, axis=-1) for m in (bridge.teacher(teacher, COARSE), student))
        hint = objectives.Hint(teacher_layer="features", student_layer="features")
        model = Distiller(
            teacher=teacher, student=student, objectives={"soft": objectives.Hinton(), "hint": hint}, bridge=bridge
        )
        model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        history = model.fit(*data, batch_size=80, verbose=0).history
        assert history["soft"][0] == pytest.approx(16 * (np.exp(p) * (p - q)).sum(-1).mean(), rel=1e-3)
        assert [layer.trainable for layer in teacher.layers] == [True, False, True, True]
        for before, after in zip(network().get_weights(), teacher.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)

    @pytest.mark.parametrize("kind", MAKE)
    def test_behind_another_of_its_kind(self, kind):
        teacher, (x, y), bridge = made(kind)
        once = bridge.teacher(teacher, COARSE)
        assert answer(MAKE[kind](once, (x, y % 4), 4).teacher(once, 4), x).shape == (80, 4)

    @pytest.mark.parametrize("kind", ["transport", "probe", "hidden"])
    def test_accuracy_is_that_of_its_network_on_the_held_out_images(self, kind):
        teacher, data, _ = made(kind)
        x, y = (part[80:] for part in images(160))
        y[:20] = -1
        bridge = MAKE[kind](teacher, data, COARSE, (x, y))
        correct = answer(bridge.teacher(teacher, COARSE), x)[20:].argmax(-1) == y[20:]
        assert bridge.accuracy == pytest.approx(correct.mean())
        assert bridge.accuracy > 0.3

    @pytest.mark.parametrize("kind", MAKE)
    def test_refuses_a_student_of_another_number_of_classes(self, kind):
        teacher, _, bridge = made(kind)
        with pytest.raises(InputError, match=r"10 classes.*student of 12 classes|10 classes and the student 12"):
            bridge.teacher(teacher, 12)

    def test_without_a_bridge_two_label_spaces_are_refused(self):
        with pytest.raises(InputError, match=r"The teacher has 100 classes and the student 10. Pass a bridge"):
            bridges.Bridge().teacher(network(), COARSE)

    @pytest.mark.parametrize("bridge", [bridges.Subset([0, 7]), bridges.ClassMap([0, [3, 7]])])
    def test_refuses_a_teacher_without_these_classes(self, bridge):
        with pytest.raises(InputError, match=r"Expected classes below 7, the teacher's number of classes. Received: 7"):
            bridge.teacher(plain(7), 2)

    @pytest.mark.parametrize("bridge", [bridges.Subset, bridges.ClassMap])
    def test_refuses_a_teacher_of_another_number_of_names(self, bridge):
        with pytest.raises(InputError, match=r"a name for each of the teacher's 5 classes. Received: 3 names"):
            bridge(["a", "b"] if bridge is bridges.Subset else {"x": "a", "y": "b"}, names=["a", "b", "c"]).teacher(
                plain(5), 2
            )

    def test_refuses_a_teacher_of_several_outputs(self):
        inputs = keras.Input((5,))
        two = keras.Model(inputs, [keras.layers.Dense(3)(inputs), keras.layers.Dense(3)(inputs)])
        with pytest.raises(InputError, match=r"one output. Received: 2 outputs"):
            bridges.Subset([0, 1]).teacher(two, 2)

    @pytest.mark.parametrize("bridge", [bridges.Transport, bridges.Probe])
    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ([0, 1, 2, 2], "each of the 4 classes. Received: classes"),
            ([0, 1, 2, 4], "below 4, the number of classes. Received: 4"),
            ([-1, -1, -1, -1], "Expected labelled images. Received: none"),
        ],
    )
    def test_fits_refuse_labels(self, bridge, labels, message):
        x, _ = images(4)
        with pytest.raises(InputError, match=message):
            bridge().fit(network(), (x, np.array(labels)), (x, np.arange(4)), 4)


class TestSubset:
    def test_answers_in_float32_whatever_the_precision_of_the_session(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            found = bridges.Subset([2, 0]).teacher(plain(3), 2)
        finally:
            keras.config.set_dtype_policy("float32")
        x = np.array([[1.2345678, 0.0, -9.8765432]], "float32")
        np.testing.assert_array_equal(np.asarray(found.layers[-1](x)), x[:, [2, 0]])

    @pytest.mark.parametrize(
        ("classes", "names", "message"),
        [
            ([], None, r"two or more different classes. Received: \[\]"),
            ([1, 1], None, r"two or more different classes. Received: \[1, 1\]"),
            (["cat", 0], ["cat", "dog"], r"two or more different classes. Received: \['cat', 0\]"),
            ([0, -1], None, "teacher as an index of 0 or more. Received: -1"),
            ([0, 2], ["cat", "dog"], "teacher as a name or an index from 0 to 1. Received: 2"),
            ([0, True], None, "an index of 0 or more. Received: True"),
            ([0, 1.5], None, "an index of 0 or more. Received: 1.5"),
        ],
    )
    def test_refuses(self, classes, names, message):
        with pytest.raises(InputError, match=message):
            bridges.Subset(classes, names)


class TestClassMap:
    GROUPS = ([4, 0], [2], [1, 5, 3])

    @pytest.mark.parametrize("scale", [3, 200])
    def test_is_the_log_sum_exp_of_each_group(self, scale):
        z = np.random.default_rng(1).uniform(-scale, scale, (50, 6)).astype("float32")
        z[0], z[1], z[2, ::2] = -200, 200, 200
        found = np.asarray(grouped_logits(z, self.GROUPS))
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, in_groups(z, self.GROUPS), rtol=1e-6, atol=2e-6)

    def test_softmax_is_the_sum_of_probabilities_renormalised(self):
        z = np.random.default_rng(1).normal(size=(20, 7)).astype("float32") * 4
        bridged = bridges.ClassMap({"a": [4, 0], "b": 2, "c": (1, 5)}).teacher(plain(7), 3)
        p = softmax(z.astype("float64"), axis=-1)
        sums = np.stack([p[:, [4, 0]].sum(-1), p[:, 2], p[:, [1, 5]].sum(-1)], -1)
        np.testing.assert_allclose(softmax(answer(bridged, z), axis=-1), sums / sums.sum(-1, keepdims=True), rtol=2e-5)

    def test_one_class_a_group_is_a_subset(self):
        z = np.random.default_rng(1).normal(size=(20, 7)).astype("float32") * 50
        found = [b.teacher(plain(7), 2) for b in (bridges.ClassMap([5, 1]), bridges.Subset([5, 1]))]
        np.testing.assert_allclose(answer(found[0], z), answer(found[1], z), rtol=1e-6)

    def test_none_of_these_takes_all_other_classes(self):
        z = np.random.default_rng(1).normal(size=(9, 6)).astype("float32")
        names = list("abcdef")
        bridge = bridges.ClassMap({"x": "c", "other": "f", "y": ["a", "d"]}, names, rest="other")
        expected = in_groups(z, [[2], [5, 1, 4], [0, 3]])
        np.testing.assert_allclose(answer(bridge.teacher(plain(6), 3), z), expected, atol=2e-6)
        assert bridge.relabel(np.array([0, 1, 2, 3, 4, 5, -1])).tolist() == [2, 1, 0, 2, 1, 1, -1]
        last = bridges.ClassMap({"x": "c", "y": ["a", "d"]}, names, rest="other")
        assert last.classes == ("x", "y", "other")
        np.testing.assert_allclose(
            answer(last.teacher(plain(6), 3), z), in_groups(z, [[2], [0, 3], [1, 4, 5]]), atol=2e-6
        )

    def test_a_missing_class_is_never_said_and_harms_no_objective(self):
        bridge = bridges.ClassMap({"x": [0, 1], "z": 2}, classes=["x", "y", "z"], allow_missing=True)
        z = np.array([[200.0, 1.0, -200.0], [0.0, 0.0, 0.0], [-200.0, -200.0, -200.0]], "float32")
        found = bridge.teacher(plain(3), 3)(z)
        np.testing.assert_array_equal(np.asarray(found)[:, 1], NEVER)
        np.testing.assert_array_equal(np.asarray(keras.ops.softmax(found / 90))[:, 1], 0)
        student, labels = np.eye(3, dtype="float32"), np.array([1, 1, 1])
        for objective in (objectives.Hinton(), objectives.Decoupled(), objectives.Dist(), objectives.TTM()):
            assert np.isfinite(np.asarray(objective(found, student, labels))).all()

    def test_classes_by_name_index_or_place_are_the_same(self):
        names, classes = ["a", "b", "c", "d"], ["x", "y"]
        expected = [[1, 3], [0]]
        for groups in (
            {"y": "a", "x": ["b", "d"]},
            {1: 0, 0: [1, 3]},
            [["b", 3], 0],
            {"x": {"b": 1}.keys() | {3}, 1: 0},
        ):
            found = bridges.ClassMap(groups, names, classes)
            assert [sorted(group) for group in found.groups] == expected
            assert tuple(found.classes) == tuple(classes)
        assert bridges.ClassMap({0: 2, 1: 3}).classes == (0, 1)

    def test_the_superclasses_of_cifar_100_are_those_of_its_labels(self):
        bridge = bridges.ClassMap.named("cifar100_coarse")
        assert list(bridge.classes) == SUPERCLASSES
        assert bridge.relabel(np.arange(100)).tolist() == SUPERCLASS
        # The packaged teacher's names are the data set's, in its order.
        assert list(bridge.names) == models.card("wide_cifar100")["classes"]
        backwards = bridges.ClassMap.named("cifar100_coarse", classes=SUPERCLASSES[::-1])
        assert (19 - backwards.relabel(np.arange(100))).tolist() == SUPERCLASS
        z = np.random.default_rng(1).normal(size=(5, 100)).astype("float32")
        expected = in_groups(z, [np.flatnonzero(np.array(SUPERCLASS) == place) for place in range(20)])
        np.testing.assert_allclose(answer(bridge.teacher(plain(100), 20), z), expected, atol=1e-5)

    def test_from_a_file(self, tmp_path):
        path = tmp_path / "map.yaml"
        path.write_text("cat: [tabby, siamese]\ndog: beagle\nbird:\n")
        names = ["beagle", "siamese", "tabby"]
        bridge = bridges.ClassMap.read(path, names, allow_missing=True)
        assert (bridge.classes, bridge.groups) == (("cat", "dog", "bird"), [[2, 1], [0], []])
        with pytest.raises(InputError, match=r"student's bird. Expected one for each class, or allow_missing"):
            bridges.ClassMap.read(path, names)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("- a\n- b\n", r"expected a mapping .* Received: \['a', 'b'\]"),
            ("", "expected a mapping .* Received: None"),
            ("a: [b", "cannot be read as YAML"),
            ("{}", "Expected a map .* Received: none"),
            ("a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
            ("cat: 0\ndog: {beagle: 1}", "Received: {'beagle': 1}"),
            ("no: 0\nyes: 1", "classes of the student .* Received: False"),
        ],
    )
    def test_refuses_a_file(self, tmp_path, text, message):
        path = tmp_path / "map.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            bridges.ClassMap.read(path)

    def test_refuses_a_missing_file_and_an_unknown_map(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.yaml' does not exist"):
            bridges.ClassMap.read(tmp_path / "none.yaml")
        with pytest.raises(InputError, match=r"Unknown class map 'cifar100_corse'. Did you mean 'cifar100_coarse'"):
            bridges.ClassMap.named("cifar100_corse")

    @pytest.mark.parametrize(
        ("groups", "options", "message"),
        [
            ({}, {}, "Expected a map from classes of the student to classes of the teacher. Received: none"),
            ([], {}, "Received: none"),
            ({"x": "ct", "y": "dog"}, {}, "Unknown class of the teacher 'ct'. Did you mean 'cat'"),
            ({"x": "cat", "z": "dog"}, {"classes": ["x", "y"]}, "Unknown class of the student 'z'"),
            ({"x": 0, "y": 3}, {}, "index from 0 to 2. Received: 3"),
            ({"x": 0, "y": "dog"}, {"names": None}, "names of the teacher's classes, to find class 'dog' in"),
            ({"x": 0, 1: 2}, {}, "names of the student's classes, to find class 'x' in"),
            ({"x": ["cat", "dog"], "y": "cat"}, {}, "once in the map. Received twice: 'cat'"),
            ({"x": ["cat", 0], "y": "dog"}, {}, "once in the map. Received twice: 0"),
            ({"x": ["cat", "dog"]}, {}, r"two or more classes of the student. Received: \['x'\]"),
            ({"x": "cat", "y": "dog"}, {"classes": ["x", "y", "z", "w"]}, "maps to the student's z, w. Expected one"),
            ({0: 0, 2: 1}, {}, "maps to the student's 1. Expected one"),
            ({"x": "cat", "y": []}, {"allow_missing": True}, "two or more of the student's. Received: 1"),
            ({"x": "cat", "y": "dog"}, {"rest": "z", "classes": ["x", "y"]}, "Unknown class of the student 'z'"),
        ],
    )
    def test_refuses(self, groups, options, message):
        with pytest.raises(InputError, match=message):
            bridges.ClassMap(groups, **{"names": ["cat", "dog", "owl"], **options})

    def test_refuses_none_of_these_where_nothing_is_left(self):
        with pytest.raises(InputError, match="maps to the student's other"):
            bridges.ClassMap({"x": 0, "y": 1}, rest="other").teacher(plain(2), 3)


class TestTransport:
    def problem(self, n=60, teacher=3, classes=2):
        rng = np.random.default_rng(11)
        p = rng.dirichlet([0.5] * teacher, n)
        return p, np.arange(n) % classes

    def value(self, matrix, p, labels, smoothing):
        """What the fit maximises, in float64."""
        fit = np.log((p @ matrix)[np.arange(len(p)), labels]).sum()
        return fit + smoothing / matrix.shape[1] * np.log(matrix).sum()

    @pytest.mark.parametrize("smoothing", [0.5, 5.0])
    def test_no_step_goes_down_and_the_last_is_the_maximum(self, smoothing):
        p, labels = self.problem(classes=3)
        values = [self.value(most_likely(p, labels, 3, smoothing, s), p, labels, smoothing) for s in range(1, 12)]
        assert np.diff(values).min() >= 0
        best = minimize(
            lambda free: -self.value(softmax(free.reshape(3, 3), axis=1), p, labels, smoothing), np.zeros(9), tol=1e-9
        )
        found = most_likely(p, labels, 3, smoothing, 5000)
        assert self.value(found, p, labels, smoothing) == pytest.approx(-best.fun, abs=1e-3)
        np.testing.assert_allclose(found, softmax(best.x.reshape(3, 3), axis=1), atol=0.01)
        np.testing.assert_allclose(found.sum(1), 1)

    def test_the_first_step_is_leeps_empirical_conditional(self):
        p, labels = self.problem()
        joint = np.stack([p[labels == y].sum(0) / len(p) for y in range(2)], 1)
        expected = joint / joint.sum(1, keepdims=True)
        np.testing.assert_allclose(most_likely(p, labels, 2, 1e-9, 1), expected, rtol=1e-6)

    def test_smoothing_is_of_a_uniform_row_and_keeps_every_probability(self):
        p = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # a step knows all there is; the third class is never said
        found = most_likely(p, np.array([0, 1]), 2, 2.0, 1)
        np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [0.5, 0.5]])

    @pytest.mark.parametrize("classes", [2, COARSE])
    def test_logits_are_the_logarithm_of_the_mixture(self, classes):
        teacher, data = network(width=16), images(classes=classes)
        bridge = bridges.Transport(0.1, temperature=2.0).fit(teacher, data, data, classes)
        z = answer(teacher, data[0])
        expected = np.log(softmax(z / 2, axis=-1) @ bridge.matrix)
        found = answer(bridge.teacher(teacher, classes), data[0])
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, rtol=1e-5)
        assert bridge.matrix.shape == (FINE, classes)

    def test_large_logits(self):
        rng = np.random.default_rng(2)
        z, labels = rng.choice([-200.0, 200.0], (40, 6)).astype("float32"), np.arange(40) % 2
        bridge = bridges.Transport(1e-3).fit(plain(6), (z, labels), (z, labels), 2)
        expected = np.log(softmax(z.astype("float64"), axis=-1) @ bridge.matrix)
        np.testing.assert_allclose(answer(bridge.teacher(plain(6), 2), z), expected, rtol=1e-5, atol=1e-5)

    def test_finds_and_names_the_classes_that_belong_together(self):
        names, classes = ["beagle", "car", "siamese", "tabby"], ["cat", "dog"]
        said = np.array([2, 2, 3, 0, 0, 0, 3, 2, 3])
        labels = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1])
        z = 20 * np.eye(4, dtype="float32")[said]
        bridge = bridges.Transport(1e-6).fit(plain(4), (z, labels), (z, labels), 2)
        found = bridge.matches(2, names, classes)
        assert {label: [name for name, _ in pairs] for label, pairs in found.items()} == {
            "cat": ["siamese", "tabby"],
            "dog": ["beagle", "tabby"],
        }
        # Of the five cats the teacher called three siamese and two tabby; of the four dogs one was a tabby to it.
        np.testing.assert_allclose([share for _, share in found["cat"]], [3 / 5, 2 / 5], atol=1e-4)
        np.testing.assert_allclose([share for _, share in found["dog"]], [3 / 4, 1 / 4], atol=1e-4)
        assert [name for name, _ in bridge.matches(1)["1"]] == ["0"]
        assert bridge.accuracy == pytest.approx(8 / 9)
        with pytest.raises(InputError, match=r"4 classes of the teacher and 2 of the student. Received: 4 and 1"):
            bridge.matches(2, names, ["cat"])

    def test_refuses(self):
        for options, message in (
            ({"smoothing": 0}, "smoothing=0"),
            ({"temperature": -1.0}, "temperature=-1"),
            ({"steps": 0}, "steps=0"),
        ):
            with pytest.raises(InputError, match=message):
                bridges.Transport(**options)
        with pytest.raises(InputError, match="Transport has to be fitted first"):
            bridges.Transport().matches()
        with pytest.raises(InputError, match="Transport has to be fitted first"):
            bridges.Transport().teacher(network(), COARSE)


class TestHiddenProbe:
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize(("classes", "n", "alpha"), [(2, 400, 1.0), (4, 60, 2.0)])
    def test_is_the_perceptron_of_scikit_learn(self, classes, n, alpha):
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        teacher, (x, y) = network(), images(n, classes)
        probe = bridges.Probe(0.5, hidden=6, seed=3).fit(teacher, (x, y), (x, y), classes)
        features = keras.Model(teacher.input, teacher.get_layer("features").output).predict(x, verbose=0)
        features = StandardScaler().fit_transform(features)
        # Sum of the losses + ½ ‖weights‖² / strength; of a batch's losses it is the share batch / n.
        expected = MLPClassifier((6,), alpha=alpha, batch_size=min(n, 200), max_iter=500, random_state=3)
        expected.fit(features, y)
        found = answer(probe.teacher(teacher, classes), x)
        np.testing.assert_allclose(
            log_softmax(found, axis=-1), expected.predict_log_proba(features), rtol=1e-3, atol=1e-3
        )
        assert probe.accuracy == pytest.approx(expected.score(features, y))

    def test_learns_what_a_linear_head_cannot(self):
        signs = np.random.default_rng(4).choice([-1.0, 1.0], (200, 2))
        y = (signs.prod(1) > 0).astype("int32")
        teacher = keras.Sequential([keras.Input((2,)), keras.layers.Identity(), keras.layers.Dense(3)])
        data = signs.astype("float32"), y
        linear, hidden = (bridges.Probe(10.0, hidden=h).fit(teacher, data, data, 2).accuracy for h in (None, 8))
        assert linear < 0.7
        assert hidden == 1

    @pytest.mark.parametrize(("options", "message"), [({"hidden": 0}, "hidden=0"), ({"strength": 0}, "strength=0")])
    def test_refuses(self, options, message):
        with pytest.raises(InputError, match=message):
            bridges.Probe(**options)
