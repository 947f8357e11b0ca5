"""A network teaches what its layers answer: one whose own methods do something else is refused by name."""

import keras
import numpy as np
import pytest
from support.small import CLASSES, batch, distiller, network

from distiller import bridges, teachers
from distiller.errors import InputError

X, Y = batch()


def tensors(seed=2):
    plain = network(seed=seed)
    return plain.input, plain.output


class Task(keras.Model):
    """As the tasks of keras-hub: functional, with a preprocessor that `predict` applies."""

    def __init__(self, preprocessor=None):
        super().__init__(*tensors(), name="task")
        self.preprocessor = preprocessor

    def predict(self, x, batch_size=None, **options):
        x = x if self.preprocessor is None else np.asarray(self.preprocessor(x))
        return super().predict(x, batch_size=batch_size, **options)


class Stepping(keras.Model):
    """Scales in `predict_step`."""

    def __init__(self, scale):
        super().__init__(*tensors(), name="stepping")
        self.scale = scale

    def predict_step(self, *arguments):
        *state, data = arguments  # on JAX there is a state before the data
        return super().predict_step(*state, keras.tree.map_structure(lambda x: x * self.scale, data))


class Calling(keras.Model):
    """Functional, with a `call` that does more than its graph."""

    def __init__(self, scale):
        super().__init__(*tensors(), name="calling")
        self.scale = scale

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs * self.scale, training=training)


class OnBatch(keras.Model):
    """Scales in `predict_on_batch` alone."""

    def __init__(self, scale):
        super().__init__(*tensors(), name="on_batch")
        self.scale = scale

    def predict_on_batch(self, x):
        return super().predict_on_batch(x * self.scale)


class Whole(keras.Model):
    """Subclassed."""

    def __init__(self, scale):
        super().__init__(name="whole")
        self.inner, self.scale = network(seed=2), scale
        self(X)

    def call(self, inputs):
        return self.inner(inputs)

    def predict(self, x, **options):
        return super().predict(x * self.scale, **options)


class Decoding(keras.Model):
    """Answers classes in `predict`."""

    def __init__(self):
        super().__init__(*tensors(), name="decoding")

    def predict(self, x):
        return super().predict(x, verbose=0).argmax(-1)


SCALING = keras.layers.Rescaling(1 / 255)
METHODS = [(Stepping, "predict_step"), (Calling, "call"), (OnBatch, "predict_on_batch"), (Whole, "predict")]


class TestAPreprocessor:
    @pytest.mark.parametrize("role", ["teacher", "student"])
    def test_is_refused(self, role):
        with pytest.raises(InputError, match=f"The {role} 'task' has a preprocessor, Rescaling.*preprocessor = None"):
            distiller(**{role: Task(SCALING)})

    @pytest.mark.parametrize(
        "use",
        [
            lambda task, folder: teachers.Cache(folder / "cache", task),
            lambda task, folder: teachers.ensemble([task], CLASSES),
            lambda task, folder: bridges.FineTune().prepare(task, 3),
            lambda task, folder: bridges.Transport().fit(task, (X, Y), (X, Y), CLASSES),
        ],
        ids=["cache", "ensemble", "fine_tune", "transport"],
    )
    def test_wherever_a_teacher_is_asked(self, use, tmp_path):
        with pytest.raises(InputError, match="'task' has a preprocessor"):
            use(Task(SCALING), tmp_path)

    def test_the_ways_out(self):
        """Without it, on what it returns; or inside the network. Both teach what `predict` answered."""
        task, images = Task(SCALING), X * 255
        answers = task.predict(images, verbose=0)
        inputs = keras.Input((5, 5, 1))
        inside = keras.Model(inputs, task(SCALING(inputs)))
        np.testing.assert_allclose(distiller(teacher=inside).teacher_outputs(images)["@logits"], answers, rtol=1e-4)
        scaled = np.asarray(SCALING(images))
        task.preprocessor = None
        model = distiller(teacher=task)
        model.fit(scaled, Y, verbose=0)
        np.testing.assert_allclose(model.teacher_outputs(scaled)["@logits"], answers, rtol=1e-4)


@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize(("kind", "method"), METHODS)
class TestAMethod:
    def test_that_answers_otherwise(self, kind, method, role):
        model = distiller(**{role: kind(1 / 255)})
        before = model.student.get_weights()
        with pytest.raises(InputError, match=f"The {role} .* overrides {method!r}, which answers otherwise"):
            model.fit(X, Y, verbose=0)
        for one, other in zip(model.student.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_that_answers_the_same(self, kind, method, role):
        found = distiller(**{role: kind(1.0)}).fit(X, Y, verbose=0).history
        assert np.isfinite(found["loss"]).all()


def test_a_method_that_decodes():
    with pytest.raises(InputError, match=r"'decoding' overrides 'predict'.*keras.Model\(inputs, network\(inputs\)\)"):
        distiller(teacher=Decoding()).fit(X, Y, verbose=0)
    inputs = keras.Input((5, 5, 1))
    distiller(teacher=keras.Model(inputs, Decoding()(inputs))).fit(X, Y, verbose=0)


class OfWords(keras.Model):
    """Its `predict` is for other inputs than its call."""

    def __init__(self):
        super().__init__(*tensors(), name="of_words")

    def predict_step(self, *arguments):
        raise TypeError("no words")


def test_a_method_for_other_inputs_is_not_asked():
    """It breaks off, and the network is as it was."""
    teacher = OfWords()
    before = np.array(teacher(X))
    distiller(teacher=teacher).fit(X, Y, verbose=0)
    np.testing.assert_array_equal(teacher(X), before)
