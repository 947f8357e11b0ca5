"""The student learns the teacher's own classes with a second head, and several bridges serve one student."""

import keras
import numpy as np
import pytest
from references import logits as reference
from support.small import batch, counted, distiller, network

from distiller import Distiller, bridges, objectives
from distiller.errors import InputError
from distiller.teachers import Virtual


class TestAuxiliaryHead:
    def test_the_head_is_compared_with_the_teachers_own_classes(self):
        teacher, (x, y) = network(7, seed=2), batch()
        model = distiller(teacher=teacher, bridge=bridges.AuxiliaryHead())
        features = keras.Model(model.student.input, model.student.get_layer("features").output)(x)
        (head,) = model.heads.values()
        expected = reference.hinton(np.asarray(teacher(x)), np.asarray(head(features)), None, 2.0).mean()
        assert model.train_on_batch(x, y, return_dict=True)["soft"] == pytest.approx(expected, rel=1e-4)

    def test_the_head_is_trained_and_its_gradient_reaches_the_shared_features(self):
        student, (x, y) = network(), batch()
        model = distiller(student, network(7, seed=2), bridge=bridges.AuxiliaryHead(), weights={"labels": 0.0})
        (head,) = model.heads.values()
        before = head.get_weights()[0].copy(), student.get_layer("stage1").get_weights()[0].copy()
        model.fit(x, y, epochs=2, verbose=0)
        assert not np.allclose(before[0], head.get_weights()[0])
        assert not np.allclose(before[1], student.get_layer("stage1").get_weights()[0])

    def test_the_student_is_exported_without_it(self, tmp_path):
        student = network()
        model = distiller(student, network(7, seed=2), bridge=bridges.AuxiliaryHead())
        model.fit(*batch(), verbose=0)
        model.student.save(tmp_path / "student.keras")
        loaded = keras.saving.load_model(tmp_path / "student.keras")
        assert loaded.output_shape == (None, 4)
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in student.layers]
        np.testing.assert_allclose(loaded(batch()[0]), student(batch()[0]), rtol=1e-5)

    def test_a_saved_distiller_keeps_it(self, tmp_path):
        model = distiller(teacher=network(7, seed=2), bridge=bridges.AuxiliaryHead())
        model.fit(*batch(), verbose=0)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        histories = [m.fit(*batch(), shuffle=False, verbose=0).history for m in (model, loaded)]
        assert {k: pytest.approx(v, rel=1e-6) for k, v in histories[0].items()} == histories[1]

    def test_labels_of_the_student_are_no_classes_of_the_teacher(self):
        """The head is taught as samples without a label are: by the teacher's likeliest class."""
        teacher, (x, y) = network(7, seed=2), batch()
        model = distiller(teacher=teacher, objectives={"soft": objectives.Decoupled()}, bridge=bridges.AuxiliaryHead())
        features = keras.Model(model.student.input, model.student.get_layer("features").output)(x)
        (head,) = model.heads.values()
        answers = [np.asarray(teacher(x)), np.asarray(head(features))]
        expected = reference.decoupled(*answers, answers[0].argmax(-1), 1.0, 8.0, 4.0).mean()
        assert model.train_on_batch(x, y, return_dict=True)["soft"] == pytest.approx(expected, rel=1e-4)

    def test_an_objective_of_labels_has_none_there(self):
        with pytest.raises(InputError, match="'soft' asks the labels, and an auxiliary head answers in other classes"):
            distiller(teacher=network(7), objectives={"soft": Virtual()}, bridge=bridges.AuxiliaryHead())

    def test_the_student_ends_in_a_dense_layer(self):
        inputs = keras.Input((5, 5, 1))
        student = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 5)(inputs)))
        with pytest.raises(InputError, match="last layer is Dense"):
            distiller(student, network(7), bridge=bridges.AuxiliaryHead())


class TestSeveralBridges:
    def model(self, **options):
        return distiller(
            teacher=network(7, seed=2),
            objectives={"soft": objectives.Hinton(temperature=2.0), "own": objectives.Hinton(temperature=3.0)},
            bridge={"soft": bridges.Subset([6, 5, 4, 3]), "own": bridges.AuxiliaryHead()},
            **options,
        )

    def test_each_objective_has_its_own(self):
        (x, y), model = batch(), self.model()
        teacher = np.asarray(model.teachers["own"](x))
        features = keras.Model(model.student.input, model.student.get_layer("features").output)(x)
        student, head = np.asarray(model.student(x)), np.asarray(model.heads["own"](features))
        found = model.train_on_batch(x, y, return_dict=True)
        soft = reference.hinton(teacher[:, [6, 5, 4, 3]], student, None, 2.0).mean()
        assert found["soft"] == pytest.approx(soft, rel=1e-4)
        assert found["own"] == pytest.approx(reference.hinton(teacher, head, None, 3.0).mean(), rel=1e-4)

    def test_the_teacher_in_the_students_classes_is_the_teacher(self):
        model = self.model()
        assert model.teacher is model.teachers["soft"]
        assert model.teacher.output_shape == (None, 4)

    def test_what_they_share_runs_once(self):
        teacher, counter = counted(2)
        model = distiller(
            teacher=teacher,
            objectives={"soft": "hinton", "own": "hinton"},
            bridge={"soft": bridges.Subset([3, 2, 1, 0]), "own": bridges.AuxiliaryHead()},
            run_eagerly=True,
        )
        model.fit(*batch(), batch_size=4, verbose=0)
        before = counter.runs
        model.fit(*batch(), batch_size=4, verbose=0)
        assert counter.runs - before == 2

    def test_a_saved_distiller_keeps_them(self, tmp_path):
        model = self.model()
        model.fit(*batch(), verbose=0)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        histories = [m.fit(*batch(), shuffle=False, verbose=0).history for m in (model, loaded)]
        assert {k: pytest.approx(v, rel=1e-6) for k, v in histories[0].items()} == histories[1]

    def test_a_bridge_of_no_objective_is_refused(self):
        with pytest.raises(InputError, match="Did you mean 'soft'"):
            distiller(bridge={"sotf": bridges.AuxiliaryHead()})


FEATURES = {"teacher_layer": "features", "student_layer": "features"}
MAPS = {"teacher_layer": "stage1", "student_layer": "stage1"}
BOTH = {"teacher_layer": ["stage1", "stage2"], "student_layer": ["stage1", "stage2"]}


def maps(classes, width, seed):
    """A network of two maps and a vector."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="stage1")(inputs)
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="stage2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


OF_LAYERS = [name for name, kind in objectives.OBJECTIVES.items() if kind.compares != "logits"]


@pytest.mark.parametrize("name", OF_LAYERS)
def test_features_and_relations_need_no_bridge(name):
    """From a teacher of 100 classes to a student of 10."""
    kind = objectives.OBJECTIVES[name]
    taps = (
        BOTH
        if name in ("flow", "knowledge_review", "singular_vectors")
        else FEATURES
        if kind.compares == "relations"
        else MAPS
    )
    student = maps(10, 4, 1)
    made = Distiller(
        teacher=maps(100, 6, 2),
        student=student,
        objectives={"it": {"name": name, **taps}},
        weights={"it": 1.0, "labels": 0.0},
    )
    made.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")
    before = [weights.copy() for weights in student.get_layer("stage1").get_weights()]
    found = made.fit(x, np.arange(8) % 10, verbose=0).history
    assert np.isfinite(found["it"]).all()
    assert found["it"][0] > 0
    for earlier, now in zip(before, student.get_layer("stage1").get_weights(), strict=True):
        assert np.isfinite(now).all()
        assert np.abs(now - earlier).max() > 1e-4
