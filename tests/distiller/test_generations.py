"""Generations: who teaches whom, what is kept, and what a second call does."""

import keras
import numpy as np
import pytest

from distiller import Distiller, data, objectives, teachers
from distiller.errors import InputError

X = np.eye(4, dtype="float32")
Y = np.array([0, 1, 2, -1])
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Family:
    """Networks that are as they are born, and a record of who was taught by whom."""

    def __init__(self, units=3, fail_at=None):
        self.units, self.fail_at, self.lessons = units, fail_at, []

    def build(self, number):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(self.units)], name=f"g{number}")
        model.set_weights([np.roll(np.eye(4, self.units, dtype="float32"), number, 1), np.zeros(self.units)])
        return model

    def fit(self, student, teacher, number):
        if number == self.fail_at:
            raise KeyboardInterrupt
        self.lessons.append((number, student.name, teacher and teacher.name))

    def run(self, generations=2, **options):
        return teachers.born_again(self.build, self.fit, generations, (X, Y), **options)


def test_each_is_taught_by_the_one_before():
    family = Family()
    found = family.run()
    assert family.lessons == [(0, "g0", None), (1, "g1", "g0"), (2, "g2", "g1")]
    assert [g.network.name for g in found] == ["g0", "g1", "g2"]
    # Each says the class + its number; the image without a label does not count.
    assert [g.accuracy for g in found] == [1.0, 0.0, 0.0]


def test_from_a_trained_network():
    family, first = Family(), Family().build(7)
    found = family.run(1, first=first)
    assert family.lessons == [(1, "g1", "g7")]
    assert found[0].network is first


def test_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Family(fail_at=1).run(folder=tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["generation-0.keras"]
    family = Family()
    found = family.run(folder=tmp_path / "new")
    assert family.lessons == [(1, "g1", "g0"), (2, "g2", "g1")]
    again = Family()
    assert [g.accuracy for g in again.run(folder=tmp_path / "new")] == [g.accuracy for g in found]
    assert again.lessons == []


def test_trains_what_follows_a_missing_generation(tmp_path):
    Family().run(folder=tmp_path)
    (tmp_path / "generation-1.keras").unlink()
    family = Family()
    family.run(folder=tmp_path)
    assert [number for number, *_ in family.lessons] == [1, 2]


def test_refuses_a_folder_of_another_network(tmp_path):
    Family().run(folder=tmp_path)
    with pytest.raises(InputError, match=r"generation-0.keras' holds another network than `build` makes now"):
        Family(units=4).run(folder=tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Family().run(0), "generations=0"),
        (lambda: teachers.born_again(Family().build, Family().fit, 1, (X, Y * 0 - 1)), "labelled validation images"),
        (
            lambda: teachers.born_again(lambda n: keras.Sequential(), Family().fit, 1, (X, Y)),
            "student to be a functional",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_generations_of_digits_and_their_ensemble():
    digits = data.load("digits")
    x, y = digits.train.images / np.float32(255), digits.train.labels
    held = digits.validation.images / np.float32(255), digits.validation.labels

    def build(number):
        keras.utils.set_random_seed(number)
        return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])

    def fit(student, teacher, number):
        taught = student
        if teacher:
            taught = Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton(1.0)})
        taught.compile(keras.optimizers.Adam(0.01), loss=SPARSE)
        taught.fit(x, y, epochs=3, batch_size=64, verbose=0)

    found = teachers.born_again(build, fit, 1, held)
    assert all(g.accuracy > 0.8 for g in found)
    together = teachers.ensemble([g.network for g in found], 10)
    p = np.mean([keras.ops.convert_to_numpy(keras.ops.softmax(g.network(held[0]))) for g in found], axis=0)
    np.testing.assert_allclose(np.exp(keras.ops.convert_to_numpy(together(held[0]))), p, rtol=1e-4, atol=1e-6)
