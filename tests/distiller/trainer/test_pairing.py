"""Networks and bridges that have to fit each other."""

import keras
import numpy as np
import pytest

from distiller import Distiller, bridges, objectives
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS


def network(size, classes):
    """One that would answer images of any size."""
    inputs = keras.Input((size, size, 1), name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="maps")(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


@pytest.mark.parametrize("options", [{}, {"teacher_layer": "maps", "student_layer": "maps"}])
def test_a_bridged_network_of_other_images_is_refused(options):
    bridge = bridges.Probe()
    bridge.network = network(9, 3)
    objective = objectives.Hint(**options) if options else objectives.Hinton()
    with pytest.raises(InputError, match=r"behind Probe to take the student's input. Received: .*9, 9.* and .*6, 6"):
        Distiller(teacher=network(6, 7), student=network(6, 3), objectives={"soft": objective}, bridge=bridge)


def test_a_teacher_of_other_images_is_refused():
    with pytest.raises(InputError, match=r"to take the same input. Received: .*9, 9.* and .*6, 6"):
        Distiller(teacher=network(9, 3), student=network(6, 3), objectives={"soft": objectives.Hinton()})


@pytest.mark.parametrize("form", ["functional", "sequential", "list", "dict"])
@pytest.mark.parametrize("options", [{}, {"teacher_layer": "maps", "student_layer": "maps"}])
def test_a_teacher_for_any_size_takes_the_students(tmp_path, form, options):
    teacher, student = network(None, 3), network(6, 3)
    if form == "sequential":
        teacher = keras.Sequential([keras.Input((None, None, 1)), *teacher.layers[1:]])
    elif form == "list":
        teacher = keras.Model([teacher.input], teacher.output)
    elif form == "dict":
        teacher = keras.Model({"image": teacher.input}, teacher.output)
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype("float32")
    before = keras.ops.convert_to_numpy(teacher({"list": [x], "dict": {"image": x}}.get(form, x)))
    objective = objectives.Hint(**options) if options else objectives.Hinton()
    made = Distiller(teacher=teacher, student=student, objectives={"soft": objective})
    made.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    made.fit(x, np.arange(4) % 3, verbose=0)
    asked = made.teacher_outputs(x)["maps" if options else LOGITS]
    assert asked.shape == ((4, 4, 4, 4) if options else (4, 3))
    if not options:
        np.testing.assert_allclose(keras.ops.convert_to_numpy(asked), before, rtol=1e-5)
    made.save(tmp_path / "made.keras")
    answers = keras.models.load_model(tmp_path / "made.keras").teacher_outputs(x)
    for name, value in made.teacher_outputs(x).items():
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (answers[name], value)), rtol=1e-5)
    with pytest.raises(InputError, match="to take the same input"):
        Distiller(teacher=network(6, 3), student=network(None, 3), objectives={"soft": "hinton"})


def test_a_fitted_bridge_on_a_teacher_for_any_size():
    bridge = bridges.Probe()
    bridge.network = network(None, 3)
    student = network(6, 3)
    made = Distiller(teacher=network(None, 7), student=student, objectives={"soft": "hinton"}, bridge=bridge)
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")
    found, expected = (keras.ops.convert_to_numpy(y) for y in (made.teacher_outputs(x)[LOGITS], bridge.network(x)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("last", [{"activation": "sigmoid"}, {"activation": None}])
def test_a_teacher_of_probabilities_by_class_is_refused(last):
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(3, **last)(inputs)
    teacher = keras.Model(inputs, outputs if last["activation"] else keras.ops.sigmoid(outputs))
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    with pytest.raises(InputError, match="is a sigmoid; take it off"):
        Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton()})
    layers = {"teacher_layer": teacher.layers[1].name, "student_layer": student.layers[0].name}
    Distiller(teacher=teacher, student=student, objectives={"alike": objectives.Hint(**layers)})


def test_one_logit_of_two_classes_is_told():
    teacher, student = (keras.Sequential([keras.Input((6,)), keras.layers.Dense(n)]) for n in (1, 2))
    with pytest.raises(InputError, match=r"has 1 class and the student 2. One logit z .* is the logits 0 and z"):
        Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton()})


def test_one_input_in_a_list_is_that_input():
    inputs = keras.Input((6, 6, 1))
    teacher, student = (keras.Model([inputs], network(6, classes)(inputs)) for classes in (7, 3))
    made = Distiller(
        teacher=teacher, student=student, objectives={"soft": objectives.Hinton()}, bridge=bridges.Subset([0, 2, 4])
    )
    assert made.teacher.output_shape == (None, 3)


@keras.saving.register_keras_serializable("test_pairing")
class Subclassed(keras.Model):
    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.classes, self.flat, self.head = classes, keras.layers.Flatten(), keras.layers.Dense(classes)

    def call(self, inputs):
        return self.head(self.flat(inputs))

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def test_a_saved_distiller_keeps_a_subclassed_teacher(tmp_path):
    teacher, x = Subclassed(3), np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype("float32")
    taught = np.asarray(teacher(x))
    made = Distiller(teacher=teacher, student=network(6, 3), objectives={"soft": objectives.Hinton()})
    made.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    made.save(tmp_path / "d.keras")
    np.testing.assert_array_equal(np.asarray(keras.saving.load_model(tmp_path / "d.keras").teacher(x)), taught)


def test_a_bridge_may_answer_with_a_subclassed_network():
    class Other(bridges.Bridge):
        def teacher(self, teacher, classes):
            return other

    other = Subclassed(3)
    other(np.zeros((1, 9, 9, 1), "float32"))
    with pytest.raises(InputError, match=r"behind Other to take the student's input. Received: .*9, 9.* and .*6, 6"):
        Distiller(
            teacher=network(6, 7), student=network(6, 3), objectives={"soft": objectives.Hinton()}, bridge=Other()
        )
