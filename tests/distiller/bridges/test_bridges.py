"""Bridges between label spaces: what all of them do, and subsets."""

import functools

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from support.label_spaces import COARSE, answer, images, network, plain

from distiller import Distiller, bridges, objectives
from distiller.errors import InputError

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

    @pytest.mark.parametrize(
        "make", [bridges.Subset, lambda classes, names: bridges.ClassMap([classes, "goose"], names)]
    )
    def test_refuses_a_name_that_two_classes_have(self, make):
        """As ImageNet's "crane", the bird and the machine; by its index each is one class."""
        names = ["crane", "goose", "crane", "truck"]
        with pytest.raises(InputError, match=r"named 'crane'. Received: several, at \[0, 2\]. Give its index"):
            make(["truck", "crane"], names)
        make(["truck", 2], names)

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
