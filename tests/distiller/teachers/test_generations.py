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


def names(folder):
    return sorted(file.name for file in folder.iterdir() if file.suffix == ".keras")


class TestLineage:
    """A generation is read only where its parent is the one that taught it."""

    def test_what_an_older_first_generation_taught_is_gone(self, tmp_path):
        Family().run(folder=tmp_path)
        (tmp_path / "generation-0.keras").unlink()
        with pytest.raises(KeyboardInterrupt):
            Family(fail_at=1).run(folder=tmp_path)
        assert names(tmp_path) == ["generation-0.keras"]
        family = Family()
        family.run(folder=tmp_path)
        assert [number for number, *_ in family.lessons] == [1, 2]

    def test_a_training_that_fails_at_once_removes_nothing(self, tmp_path):
        Family().run(folder=tmp_path)
        (tmp_path / "generation-0.keras").unlink()
        with pytest.raises(KeyboardInterrupt):
            Family(fail_at=0).run(folder=tmp_path)
        assert names(tmp_path) == ["generation-1.keras", "generation-2.keras"]

    def test_later_ones_than_are_asked_for_are_gone_too(self, tmp_path):
        Family().run(3, folder=tmp_path)
        (tmp_path / "generation-1.keras").unlink()
        Family().run(1, folder=tmp_path)
        assert names(tmp_path) == ["generation-0.keras", "generation-1.keras"]
        assert [file.name for file in sorted(tmp_path.glob("*.json"))] == ["generation-1.json"]

    def test_of_the_same_first_network(self, tmp_path):
        Family().run(folder=tmp_path, first=Family().build(7))
        family, first = Family(), Family().build(7)
        first.save(tmp_path / "first.keras")
        found = family.run(folder=tmp_path, first=keras.saving.load_model(tmp_path / "first.keras"))
        assert family.lessons == []
        assert len(found) == 3

    def test_of_another_first_network(self, tmp_path):
        Family().run(folder=tmp_path, first=Family().build(7))
        family = Family()
        with pytest.raises(
            InputError,
            match=r"generation-1.keras' was taught by another network than `first`: one with weights of digest \w{16}, "
            r"and those of `first` have \w{16}. Give the network that taught it, name another folder, or delete",
        ):
            family.run(folder=tmp_path, first=Family().build(8))
        assert family.lessons == []
        assert names(tmp_path) == ["generation-1.keras", "generation-2.keras"]

    def test_of_a_first_network_that_is_given_no_more(self, tmp_path):
        Family().run(folder=tmp_path, first=Family().build(7))
        family = Family()
        with pytest.raises(InputError, match=r"generation-1.keras' was taught by a network given as `first`. Give it"):
            family.run(folder=tmp_path)
        assert family.lessons == []
        assert names(tmp_path) == ["generation-1.keras", "generation-2.keras"]

    def test_of_a_first_network_after_one_without(self, tmp_path):
        Family().run(folder=tmp_path)
        with pytest.raises(InputError, match="was taught by another network than `first`"):
            Family().run(folder=tmp_path, first=Family().build(7))
        Family().run(folder=tmp_path, first=Family().build(0))

    def test_of_a_file_that_was_exchanged(self, tmp_path):
        Family().run(folder=tmp_path)
        Family().build(5).save(tmp_path / "generation-1.keras")
        with pytest.raises(InputError, match=r"generation-2.keras' was taught by another network than generation 1: "):
            Family().run(folder=tmp_path)

    @pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"weights": 3'])
    def test_nobody_knows(self, tmp_path, content):
        Family().run(folder=tmp_path)
        file = tmp_path / "generation-2.json"
        file.unlink() if content is None else file.write_text(content)
        with pytest.raises(InputError, match=r"generation-2.json' is missing or damaged.*what taught"):
            Family().run(folder=tmp_path)

    def test_a_teacher_that_changes_in_the_training_is_the_one_before(self, tmp_path):
        class Careless(Family):
            def fit(self, student, teacher, number):
                super().fit(student, teacher, number)
                if teacher:
                    teacher.set_weights([w + 1 for w in teacher.get_weights()])

        Careless().run(folder=tmp_path)
        family = Family()
        family.run(folder=tmp_path)
        assert family.lessons == []


def test_labels_in_a_column():
    family = Family()
    found = teachers.born_again(family.build, family.fit, 2, (X, Y[:, None]))
    assert [g.accuracy for g in found] == [1.0, 0.0, 0.0]


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
            lambda: teachers.born_again(Family().build, Family().fit, 1, (X, Y[:3])),
            r"a label for each of the 4 validation images, \(4,\). Received: labels of shape \(3,\)",
        ),
        (
            lambda: teachers.born_again(Family().build, Family().fit, 1, (X, np.eye(4))),
            r"Received: labels of shape \(4, 4\)",
        ),
        (
            lambda: teachers.born_again(lambda n: keras.Sequential(), Family().fit, 1, (X, Y)),
            "student to be built",
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
