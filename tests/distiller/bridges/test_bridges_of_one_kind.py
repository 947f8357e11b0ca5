"""Several bridges of one kind on one teacher, each for an objective of its own."""

import keras
import numpy as np
import pytest
from references import logits as reference
from support.label_spaces import COARSE, FINE, answer, images, network
from support.small import Counting

from distiller import Distiller, bridges, data, objectives, teachers
from distiller.bridges.unique_layer_names import Apart
from distiller.errors import InputError

PAIRS = {
    "subset": lambda teacher, data: [bridges.Subset(range(10)), bridges.Subset(range(20, 30))],
    "class_map": lambda teacher, data: [
        bridges.ClassMap([[i, 50 + i] for i in range(10)]),
        bridges.ClassMap([[10 * i, 10 * i + 1, 10 * i + 2] for i in range(10)]),
    ],
    "transport": lambda teacher, data: [bridges.Transport(s).fit(teacher, data, data, COARSE) for s in (1.0, 20.0)],
    "probe": lambda teacher, data: [bridges.Probe(s).fit(teacher, data, data, COARSE) for s in (0.1, 0.001)],
    "hidden": lambda teacher, data: [bridges.Probe(1.0, hidden=h).fit(teacher, data, data, COARSE) for h in (5, 6)],
}


def distiller(teacher, bridge, student=None, **options):
    options = {"objectives": {name: objectives.Hinton(temperature=2.0) for name in bridge}, **options}
    made = Distiller(teacher=teacher, student=student or network(COARSE, seed=3), bridge=bridge, **options)
    made.compile(keras.optimizers.SGD(0.01), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


def history(model, data):
    return model.fit(*data, batch_size=20, epochs=2, shuffle=False, verbose=0).history


@pytest.mark.parametrize("kind", PAIRS)
class TestTwo:
    def pair(self, kind):
        teacher, data = network(), images()
        return teacher, data, dict(zip("ab", PAIRS[kind](teacher, data), strict=True))

    def test_each_objective_has_the_number_of_its_bridge_alone(self, kind):
        teacher, (x, y), pair = self.pair(kind)
        found = distiller(teacher, pair).train_on_batch(x, y, return_dict=True)
        student = answer(network(COARSE, seed=3), x)
        for name, bridge in pair.items():
            alone = distiller(teacher, {name: bridge}).train_on_batch(x, y, return_dict=True)
            assert found[name] == pytest.approx(alone[name], rel=1e-5)
            expected = reference.hinton(answer(bridge.teacher(teacher, COARSE), x), student, None, 2.0).mean()
            assert found[name] == pytest.approx(expected, rel=1e-4)
        assert found["a"] != pytest.approx(found["b"], rel=1e-4)

    def test_a_saved_distiller_keeps_both(self, kind, tmp_path):
        teacher, data, pair = self.pair(kind)
        model = distiller(teacher, pair)
        history(model, data)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        for name in pair:
            np.testing.assert_array_equal(answer(loaded.teachers[name], data[0]), answer(model.teachers[name], data[0]))
        assert history(model, data) == history(loaded, data)

    def test_the_bridges_and_the_teacher_stay_as_they_were(self, kind):
        teacher, (x, _), pair = self.pair(kind)
        before = {name: bridge.teacher(teacher, COARSE) for name, bridge in pair.items()}
        names = {name: [layer.name for layer in made.layers] for name, made in before.items()}
        answers = {name: answer(made, x) for name, made in before.items()}
        distiller(teacher, pair)
        for name, made in before.items():
            assert [layer.name for layer in made.layers] == names[name]
            np.testing.assert_array_equal(answer(made, x), answers[name])


def test_what_two_subsets_share_runs_once():
    plain, counter = network(), Counting()
    teacher = keras.Model(plain.input, counter(plain.output), name="teacher")
    model = distiller(teacher, {"a": bridges.Subset(range(10)), "b": bridges.Subset(range(10, 20))})
    model.compile("sgd", loss=model.label_losses["@logits"], run_eagerly=True)
    history(model, images(40))
    before = counter.runs
    history(model, images(40))
    assert counter.runs - before == 4  # two epochs of two batches


class TestTwoAuxiliaryHeads:
    def model(self, **options):
        return distiller(network(), {"a": bridges.AuxiliaryHead(), "b": bridges.AuxiliaryHead()}, **options)

    def test_each_is_trained(self):
        model, data = self.model(weights={"labels": 0.0, "b": 0.5}), images()
        assert len({id(head) for head in model.heads.values()}) == 2
        before = {name: head.get_weights()[0].copy() for name, head in model.heads.items()}
        found = history(model, data)
        for name, head in model.heads.items():
            assert head.kernel.shape[-1] == FINE
            assert np.abs(head.get_weights()[0] - before[name]).max() > 1e-4
            assert found[name][1] < found[name][0]
        assert {id(v) for head in model.heads.values() for v in head.variables} <= {
            id(v) for v in model.trainable_variables
        }

    def test_each_is_compared_with_the_teacher(self):
        model, (x, y) = self.model(), images()
        features = keras.Model(model.student.input, model.student.get_layer("features").output)(x)
        expected = {
            name: reference.hinton(answer(network(), x), np.asarray(head(features)), None, 2.0).mean()
            for name, head in model.heads.items()
        }
        found = model.train_on_batch(x, y, return_dict=True)
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)

    def test_a_saved_distiller_keeps_both(self, tmp_path):
        model, data = self.model(), images()
        history(model, data)
        model.save(tmp_path / "d.keras")
        loaded = keras.saving.load_model(tmp_path / "d.keras")
        for name, head in model.heads.items():
            for own, theirs in zip(head.get_weights(), loaded.heads[name].get_weights(), strict=True):
                np.testing.assert_array_equal(own, theirs)
        assert history(model, data) == history(loaded, data)

    def test_beside_two_subsets(self, tmp_path):
        pair = {name: bridges.AuxiliaryHead() for name in "ab"}
        pair |= {"c": bridges.Subset(range(10)), "d": bridges.Subset(range(10, 20))}
        model, data = distiller(network(), pair), images()
        history(model, data)
        model.save(tmp_path / "d.keras")
        assert history(model, data) == history(keras.saving.load_model(tmp_path / "d.keras"), data)


def test_a_sequential_teacher():
    inner = network()
    teacher = keras.Sequential([keras.Input((4, 4, 1)), *inner.layers[1:]], name="teacher")
    pair = {"a": bridges.Subset(range(10)), "b": bridges.Subset(range(10, 20))}
    model, (x, _) = distiller(teacher, pair), images()
    for name, chosen in (("a", slice(10)), ("b", slice(10, 20))):
        np.testing.assert_allclose(answer(model.teachers[name], x), answer(inner, x)[:, chosen], rtol=1e-5)


def test_a_subclassed_teacher_runs_once_and_is_saved_once(tmp_path):
    teacher, x = Subclassed(), images(40)[0]
    teacher(x)
    pair = {"a": bridges.Subset(range(10)), "b": bridges.Subset(range(10, 20)), "c": bridges.AuxiliaryHead()}
    model = distiller(teacher, pair)
    assert len(model.pairing.teachers) == 1
    model.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    for name in pair:
        np.testing.assert_array_equal(answer(loaded.teachers[name], x), answer(model.teachers[name], x))


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.head = keras.layers.Flatten(), keras.layers.Dense(FINE)

    def call(self, inputs):
        return self.head(self.flat(inputs))


def test_a_layer_of_the_second_is_compared_under_its_new_name(tmp_path):
    teacher, x = network(), images()[0]
    pair = dict(zip("ab", PAIRS["hidden"](teacher, images()), strict=True))
    hints = {
        "a": objectives.Hint(teacher_layer="teacher_probe_hidden", student_layer="features"),
        "b": objectives.Hint(teacher_layer="teacher_probe_hidden_1", student_layer="features"),
    }
    model = distiller(teacher, pair, objectives=hints)
    for key, bridge in pair.items():
        hidden = keras.Model(bridge.network.input, bridge.network.get_layer("teacher_probe_hidden").output)
        (taught,) = (value for name, value in model.teacher_outputs(x).items() if name.startswith(f"{key}:teacher"))
        np.testing.assert_allclose(taught, hidden(x), rtol=1e-5)
    model.save(tmp_path / "d.keras")
    assert set(keras.saving.load_model(tmp_path / "d.keras").teacher_outputs(x)) == set(model.teacher_outputs(x))


def test_stored_answers_of_the_second_are_those_of_its_bridge_alone(tmp_path):
    pair = {"a": bridges.Subset(range(10)), "b": bridges.Subset(range(10, 20))}
    model = distiller(network(), pair)
    split = data.Split(*images(10))
    teachers.Cache(tmp_path, pair["b"].teacher(network(), COARSE)).build(split, passes=1)
    assert teachers.Cache(tmp_path, model.teachers["b"]).passes == 1
    with pytest.raises(InputError):
        teachers.Cache(tmp_path, model.teachers["a"])


class TestApart:
    def networks(self, layers):
        """Networks on the same inputs, each with one of the layers after a shared one."""
        inputs = keras.Input((3,))
        shared = keras.layers.Dense(4, activation="tanh", name="shared")(inputs)
        return [keras.Model(inputs, layer(shared)) for layer in layers]

    def test_copies_what_clashes_and_shares_the_rest(self):
        found = self.networks([keras.layers.Dense(2, name="head") for _ in range(3)])
        apart, x = Apart(), np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
        for number, given in enumerate(found):
            made = apart(given)
            np.testing.assert_array_equal(answer(made, x), answer(given, x))
            assert made.layers[-1].name == ("head" if number == 0 else f"head_{number}")
            assert made.layers[1] is found[0].layers[1]
            assert apart(given).layers[-1] is made.layers[-1]

    def test_what_follows_from_a_copy_follows_the_copy(self):
        """The second head is applied to itself, before and after a layer that all share."""
        first, second = self.networks([keras.layers.Dense(4, name="head") for _ in range(2)])
        shared, head = second.layers[1], second.layers[2]
        deep = keras.Model(second.input, keras.layers.Add(name="add")([head(shared.output), head(head(second.output))]))
        apart, x = Apart(), np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
        whole = {str(place): apart(given).output for place, given in enumerate((first, second, deep))}
        found = keras.Model(first.input, whole)(x)
        for place, given in enumerate((first, second, deep)):
            np.testing.assert_allclose(found[str(place)], answer(given, x), rtol=1e-5)

    def test_networks_on_other_inputs_keep_their_names(self):
        apart, others = Apart(), [network(seed=1), network(seed=2)]
        assert [apart(other) for other in others] == others

    def test_a_layer_that_cannot_be_copied_is_named(self):
        class Needy(keras.layers.Layer):
            def __init__(self, needed, **kwargs):
                super().__init__(**kwargs)
                self.needed = object()

            def call(self, inputs):
                return inputs

        first, second = self.networks([Needy(object(), name="needy") for _ in range(2)])
        apart = Apart()
        apart(first)
        with pytest.raises(InputError, match="Two bridges have a layer named 'needy'"):
            apart(second)
