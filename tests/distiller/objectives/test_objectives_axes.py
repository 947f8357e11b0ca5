"""Objectives on features of sequences and volumes: as on images, with one axis of positions or three."""

import keras
import numpy as np
import pytest
from keras import ops
from references import features as reference
from scipy.ndimage import correlate

from distiller import Distiller, models, objectives
from distiller.errors import InputError
from distiller.objectives import features

BATCH = 3
RNG = np.random.default_rng(7)
NAMES = list(features.OBJECTIVES)
LISTS = [name for name in NAMES if reference.EXAMPLES[name] is reference.two_layers]
# Teacher's and student's sizes along the axes of positions, and their channels.
SIZES = {"divides": ((8,), (4,)), "does not divide": ((7,), (5,)), "same": ((6,), (6,))}


def draw(*shape):
    return RNG.normal(size=(BATCH, *shape)).astype("float32")


def answers(name, teacher, student, weights=None):
    """The losses of an objective, and its weights, which are not those of a fresh layer."""
    objective = features.OBJECTIVES[name]()
    objective(teacher, student)
    drawn = np.random.default_rng(8)
    for place, variable in enumerate(objective.trainable_variables):
        given = ops.convert_to_numpy(variable) + 0.3 * drawn.normal(size=variable.shape)
        variable.assign(given if weights is None else weights[place])
    return ops.convert_to_numpy(objective(teacher, student)), objective


def as_images(value):
    """Sequences (batch, positions, channels) as images of one row."""
    return keras.tree.map_structure(lambda x: x[:, None], value)


def as_volume(value):
    return keras.tree.map_structure(lambda x: x[:, None], value)


def pair(name, sizes, teacher_channels=5, student_channels=4):
    """One layer of each network, or two."""
    teacher, student = draw(*sizes[0], teacher_channels), draw(*sizes[1], student_channels)
    if name not in LISTS:
        return teacher, student
    return [teacher, draw(*sizes[0], 6)], [student, draw(*sizes[1], 6)]


class TestSequences:
    """(batch, positions, channels): what the references answer for images of one row."""

    @pytest.mark.parametrize("sizes", SIZES)
    @pytest.mark.parametrize("name", [name for name in NAMES if name not in ("factor_transfer", "knowledge_review")])
    def test_equal_the_reference(self, name, sizes):
        teacher, student = pair(name, SIZES[sizes])
        found, objective = answers(name, teacher, student)
        weights = [ops.convert_to_numpy(variable) for variable in objective.trainable_variables]
        expected = reference.REFERENCES[name](as_images(teacher), as_images(student), None, weights=weights)
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)

    def test_a_cosine_of_means(self):
        teacher, student = draw(6, 4), draw(6, 4)
        found = ops.convert_to_numpy(objectives.cosine(teacher, student, pooled=True))
        t, s = teacher.astype("float64").mean(1), student.astype("float64").mean(1)
        cosines = (t * s).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(s, axis=-1)
        np.testing.assert_allclose(found, 1 - cosines, rtol=1e-4)


class TestVolumes:
    """(batch, depth, height, width, channels)."""

    @pytest.mark.parametrize("name", [name for name in NAMES if name not in ("factor_transfer", "knowledge_review")])
    def test_of_one_slice_equal_images(self, name):
        teacher, student = pair(name, ((4, 6), (2, 3)))
        found, objective = answers(name, as_volume(teacher), as_volume(student))
        weights = [ops.convert_to_numpy(variable) for variable in objective.trainable_variables]
        expected = reference.REFERENCES[name](teacher, student, None, weights=weights)
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)

    def test_are_averaged_along_every_axis(self):
        teacher, student = draw(4, 6, 2, 5), draw(2, 3, 2, 5)
        found = ops.convert_to_numpy(objectives.Cosine()(teacher, student))
        small = teacher.astype("float64").reshape(BATCH, 2, 2, 3, 2, 2, 1, 5).mean((2, 4, 6))
        np.testing.assert_allclose(
            found, reference.cosine(reference.rows(small), reference.rows(student), None), rtol=1e-4
        )

    def test_are_averaged_where_windows_overlap(self):
        maps = draw(5, 4, 3, 2)
        found = ops.convert_to_numpy(features.attention(maps, draw(3, 4, 2, 2)))
        assert np.isfinite(found).all()
        from distiller.objectives.maps import pool

        expected = reference.pool(maps.astype("float64").reshape(BATCH, 5, 4, 6), 3, 4).reshape(BATCH, 3, 4, 3, 2)
        flat = expected.transpose(0, 3, 1, 2, 4).reshape(BATCH, 3, 12, 2)
        expected = reference.pool(flat, 2, 12).reshape(BATCH, 2, 3, 4, 2).transpose(0, 2, 3, 1, 4)
        np.testing.assert_allclose(
            ops.convert_to_numpy(pool(ops.convert_to_tensor(maps), (3, 4, 2))), expected, rtol=1e-4, atol=1e-6
        )


def convolved(maps, kernel):
    """Same-padded correlation along all axes of positions, in float64."""
    out = np.zeros((*maps.shape[:-1], kernel.shape[-1]))
    for sample in range(len(maps)):
        for i in range(kernel.shape[-2]):
            for o in range(kernel.shape[-1]):
                out[sample, ..., o] += correlate(maps[sample, ..., i], kernel[..., i, o], mode="constant")
    return out


@pytest.mark.parametrize("sizes", [((6,), (6,)), ((8,), (4,)), ((2, 4, 4), (2, 4, 4))], ids=str)
class TestConvolutions:
    """Those that have convolutions of their own."""

    def test_factor_transfer(self, sizes):
        teacher, student = draw(*sizes[0], 4), draw(*sizes[1], 3)
        found, objective = answers("factor_transfer", teacher, student)
        weights = [np.asarray(ops.convert_to_numpy(v), "float64") for v in objective.trainable_variables]
        x = student.astype("float64")
        for kernel, scale, offset in zip(weights[::3], weights[1::3], weights[2::3], strict=True):
            x = reference.normalized(convolved(x, kernel)) * scale + offset
            x = np.where(x > 0, x, 0.1 * x)
        t = teacher.astype("float64")
        if sizes[0] != sizes[1]:
            t = t.reshape(BATCH, 4, 2, 4).mean(2)
        rows = zip(reference.rows(t), reference.rows(x), strict=True)
        expected = [np.abs(reference.direction(a) - reference.direction(b)).mean() for a, b in rows]
        np.testing.assert_allclose(found, expected, rtol=2e-4)

    def test_knowledge_review(self, sizes):
        """Of the deepest layer alone, pooled features: maps of one position."""
        teacher, student = draw(*sizes[1], 4), draw(*sizes[1], 3)
        found, objective = answers("knowledge_review", [teacher], [student])
        enter, scale, offset, leave, leave_scale, leave_offset = (
            np.asarray(ops.convert_to_numpy(v), "float64") for v in objective.trainable_variables
        )
        x = reference.normalized(student @ enter) * scale + offset
        x = reference.normalized(convolved(x, leave)) * leave_scale + leave_offset
        smallest = min(teacher.shape[1:-1])
        levels = [level for level in (4, 2, 1) if level < smallest]
        losses, factors = [reference.rows((teacher - x) ** 2).mean(1)], 0.5 ** np.arange(len(levels) + 1)
        for level in levels:
            difference = teacher - x
            for axis in range(1, difference.ndim - 1):
                windows = reference.windows(difference.shape[axis], level)
                parts = [difference.take(range(a, b), axis=axis).mean(axis) for a, b in windows]
                difference = np.stack(parts, axis=axis)
            losses.append(reference.rows(difference**2).mean(1))
        np.testing.assert_allclose(found, factors @ np.array(losses) / factors.sum(), rtol=2e-4)


def test_knowledge_review_of_sequences_down_to_pooled_features():
    objective = objectives.KnowledgeReview()
    layers = [draw(8, 3), draw(4, 5), draw(6)], [draw(6, 3), draw(4, 3), draw(4)]
    assert tuple(objective(*layers).shape) == (BATCH,)
    assert [fusion.leave.kernel.shape[0] for fusion in objective.fusions] == [3, 3, 3]


@pytest.mark.parametrize(
    ("name", "teacher", "student", "message"),
    [
        ("hint", (6, 4), (6, 6, 4), "maps of as many axes"),
        ("hint", (6, 4), (4,), "both before or both after pooling"),
        ("attention", (4,), (4,), "(batch, positions, channels), (batch, height, width, channels)"),
        ("hint", (2, 2, 2, 2, 4), (2, 2, 2, 2, 4), "(batch, depth, height, width, channels) or (batch, channels)"),
    ],
)
def test_what_cannot_be_compared(name, teacher, student, message):
    with pytest.raises(InputError) as raised:
        features.OBJECTIVES[name]()(draw(*teacher), draw(*student))
    assert message in str(raised.value)


def test_layers_of_different_axes():
    with pytest.raises(InputError, match="maps of as many axes in every layer"):
        objectives.Flow()([draw(6, 4), draw(3, 2, 4)], [draw(6, 4), draw(3, 2, 4)])


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((8, 5), (4, 3)), "1-wide convolution 3 → 5 channels, teacher map resized 8 → 4"),
        (((4, 4, 2, 5), (2, 4, 2, 3)), "1×1×1 convolution 3 → 5 channels, teacher map resized 4×4×2 → 2×4×2"),
    ],
)
def test_adapters_in_words(shapes, words):
    objective = objectives.Hint()
    objective(*(draw(*shape) for shape in shapes))
    assert objective.adapter == words


class TestInATraining:
    X = RNG.integers(1, 9, size=(6, 5)).astype("int32")
    Y = np.arange(6, dtype="int32") % 3

    def network(self, width, mask=False, seed=1):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((5,), dtype="int32")
        x = keras.layers.Embedding(9, width, mask_zero=mask, name="tokens")(inputs)
        x = keras.layers.Dense(width, name="hidden")(x)
        return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D(name="pooled")(x)))

    def distiller(self, layer, *, mask, kind=objectives.Hint):
        made = Distiller(
            teacher=self.network(6, mask, seed=2),
            student=self.network(4, mask),
            objectives={"hint": kind(teacher_layer=layer, student_layer=layer)},
        )
        made.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return made

    def test_of_token_features(self):
        model = self.distiller("hidden", mask=False)
        teacher, student = (keras.Model(n.input, n.get_layer("hidden").output) for n in (model.teacher, model.student))
        weights = [ops.convert_to_numpy(v) for v in model.objectives["hint"].trainable_variables]
        expected = reference.hint(
            as_images(np.asarray(teacher(self.X))), as_images(np.asarray(student(self.X))), None, weights
        )
        assert model.fit(self.X, self.Y, verbose=0).history["hint"] == [pytest.approx(expected.mean(), rel=1e-3)]

    @pytest.mark.parametrize("kind", [objectives.Hint, objectives.SimilarityPreserving])
    def test_positions_that_a_mask_hides(self, kind):
        with pytest.raises(InputError, match=r"positions of 'hidden' that the teacher's mask hides.*Pooling1D"):
            self.distiller("hidden", mask=True, kind=kind)
        self.distiller("pooled", mask=True, kind=kind).fit(self.X, self.Y, verbose=0)  # the way out


def test_networks_of_this_package_are_adapted_as_before():
    """The words of an adapter on images, which reports show."""
    made = Distiller(
        teacher=models.build("resnet8", 3, (8, 8, 1)),
        student=models.build("resnet8", 3, (8, 8, 1), width=8),
        objectives={"hint": {"name": "hint", "teacher_layer": "stage3", "student_layer": "stage3"}},
    )
    assert made.adapters == {"hint": "1×1 convolution 32 → 64 channels"}
