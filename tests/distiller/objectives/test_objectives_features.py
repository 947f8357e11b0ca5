"""The contract and the numbers of every objective that compares features."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from references import features as reference
from support.feature_maps import BATCH, draw
from support.gradients import gradients

from distiller.errors import InputError
from distiller.objectives import features

NAMES = list(features.OBJECTIVES)
LISTS = [name for name in NAMES if reference.EXAMPLES[name] is reference.two_layers]
SINGLE = [name for name in NAMES if name not in LISTS]
VECTORS = [name for name in SINGLE if name not in ("attention", "neuron_selectivity", "factor_transfer")]
ZERO_WHEN_EQUAL = ["cosine", "attention", "neuron_selectivity", "flow", "singular_vectors"]
ALWAYS = ["hint", "variational_information", "factor_transfer", "overhaul", "knowledge_review", "projector"]

MAPS = [
    ((4, 4, 6), (4, 4, 6)),
    ((4, 4, 6), (8, 8, 3)),
    ((8, 6, 3), (4, 6, 5)),
    ((7, 7, 4), (5, 3, 4)),
    ((1, 1, 4), (2, 2, 6)),
]
LAYERS = [
    ([(8, 8, 5), (4, 4, 6)], [(8, 8, 5), (4, 4, 6)]),
    ([(8, 8, 5), (4, 4, 6)], [(8, 8, 3), (4, 4, 6)]),
    ([(6, 6, 4), (6, 6, 5)], [(8, 8, 3), (4, 4, 2)]),
]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def numbers(objective, teacher, student, **config):
    """The losses of the objective and its reference, with adapter weights that are not those of a fresh layer."""
    objective(teacher, student)
    rng = np.random.default_rng(6)
    for variable in objective.trainable_variables:
        variable.assign(ops.convert_to_numpy(variable) + 0.3 * rng.normal(size=variable.shape))
    weights = [ops.convert_to_numpy(variable) for variable in objective.trainable_variables]
    name = next(name for name, kind in features.OBJECTIVES.items() if kind is type(objective))
    expected = reference.REFERENCES[name](teacher, student, None, weights=weights, **config)
    return ops.convert_to_numpy(objective(teacher, student)), expected


def check_equals_reference(objective, teacher, student, **config):
    received, expected = numbers(objective, teacher, student, **config)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_config_round_trip(self, name):
        objective = features.OBJECTIVES[name](teacher_layer=["a", "b"], student_layer="c", name="given")
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
        assert type(copy) is type(objective)
        assert copy.get_config() == objective.get_config()

    def test_takes_its_arguments_by_name_only(self, name):
        with pytest.raises(TypeError, match="positional"):
            features.OBJECTIVES[name](1)

    def test_says_where_it_comes_from(self, name):
        assert features.OBJECTIVES[name].compares == "features"
        assert features.OBJECTIVES[name].source

    @pytest.mark.parametrize(
        ("dtype", "policy"), [("float32", "float32"), ("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16")]
    )
    def test_one_float32_loss_a_sample(self, name, rng, dtype, policy):
        pair = keras.tree.map_structure(lambda x: ops.cast(x, dtype), reference.EXAMPLES[name](rng, BATCH))
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            objective = features.OBJECTIVES[name]()
            loss = objective(*pair, np.arange(BATCH))
        finally:
            keras.config.set_dtype_policy(before)
        assert tuple(loss.shape) == (BATCH,)
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        assert {v.dtype for v in objective.trainable_variables} <= {"float32"}
        assert np.isfinite(ops.convert_to_numpy(loss)).all()

    def test_shape_is_known_before_data(self, name, rng):
        def spec(x):
            return keras.KerasTensor((None, *x.shape[1:]), dtype="bfloat16")

        pair = keras.tree.map_structure(spec, reference.EXAMPLES[name](rng, BATCH))
        objective = features.OBJECTIVES[name]()
        assert objective(*pair, keras.KerasTensor((None,), dtype="int32")).shape == (None,)
        loss = objective(*reference.EXAMPLES[name](rng, 3), np.arange(3))
        assert tuple(loss.shape) == (3,)

    @pytest.mark.parametrize(
        ("network", "scale"), [("both", 200.0), ("both", 1e-4), ("both", 0.0), ("teacher", 0.0), ("student", 0.0)]
    )
    def test_finite_at_every_scale_and_no_gradient_to_the_teacher(self, name, rng, scale, network):
        teacher, student = reference.EXAMPLES[name](rng, BATCH)

        def scaled(x):
            return np.sign(x) * np.float32(200) if scale == 200 else x * np.float32(scale)

        teacher = teacher if network == "student" else keras.tree.map_structure(scaled, teacher)
        student = student if network == "teacher" else keras.tree.map_structure(scaled, student)
        objective = features.OBJECTIVES[name]()
        assert np.isfinite(ops.convert_to_numpy(objective(teacher, student))).all()
        to_teacher, to_student, to_adapters = gradients(objective, teacher, student)
        assert all(g is None or not g.any() for g in to_teacher)
        assert all(g is not None and np.isfinite(g).all() for g in [*to_student, *to_adapters])

    def test_finite_for_one_sample_again_and_again(self, name, rng):
        one = reference.EXAMPLES[name](rng, 1)
        teacher, student = keras.tree.map_structure(lambda x: np.repeat(x, BATCH, axis=0), one)
        objective = features.OBJECTIVES[name]()
        assert np.isfinite(ops.convert_to_numpy(objective(teacher, student))).all()
        _, to_student, to_adapters = gradients(objective, teacher, student)
        assert all(np.isfinite(g).all() for g in [*to_student, *to_adapters])

    def test_gradient_to_every_adapter(self, name, rng):
        if name in LISTS:
            pair = draw(rng, LAYERS[2][0]), draw(rng, LAYERS[2][1])
        else:
            pair = draw(rng, MAPS[1][0]), draw(rng, MAPS[1][1])
        objective = features.OBJECTIVES[name]()
        _, to_student, to_adapters = gradients(objective, *pair)
        assert all(g.any() for g in to_student)
        if name not in ("attention", "neuron_selectivity"):
            assert to_adapters
            assert all(g is not None and g.any() for g in to_adapters)

    def test_adapter_only_where_the_shapes_ask_for_it(self, name, rng):
        objective = features.OBJECTIVES[name]()
        objective(*reference.EXAMPLES[name](rng, BATCH))
        assert bool(objective.trainable_variables) == (name in ALWAYS)
        assert (objective.adapter == "none") == (name not in ALWAYS)
        assert not objective.non_trainable_variables

    def test_loss_falls(self, name, rng):
        objective = features.OBJECTIVES[name]()
        teacher, start = reference.EXAMPLES[name](rng, BATCH)
        student = keras.tree.map_structure(lambda x: keras.Variable(x), start)
        objective(teacher, start)
        optimizer = keras.optimizers.Adam(0.02)
        trained = [*keras.tree.flatten(student), *objective.trainable_variables]
        losses = []
        for _ in range(20):
            values = keras.tree.map_structure(ops.convert_to_numpy, student)
            losses.append(float(ops.mean(objective(teacher, values))))
            _, to_student, to_adapters = gradients(objective, teacher, values, reduce=ops.mean)
            optimizer.apply(keras.tree.map_structure(ops.convert_to_tensor, [*to_student, *to_adapters]), trained)
        values = keras.tree.map_structure(ops.convert_to_numpy, student)
        assert float(ops.mean(objective(teacher, values))) < losses[0]

    def test_refuses_what_it_cannot_compare(self, name, rng):
        maps, vectors = draw(rng, (4, 4, 6)), draw(rng, (6,))
        with pytest.raises(InputError, match=r"Expected.*Received"):
            features.OBJECTIVES[name]()(maps, vectors)
        with pytest.raises(InputError, match=r"Expected.*Received"):
            features.OBJECTIVES[name]()([maps, maps], maps)
        unknown = keras.KerasTensor((None, None, None, 6))
        pair = [[unknown, unknown]] * 2 if name in LISTS else [unknown] * 2
        with pytest.raises(InputError, match=r"Expected.*Received"):
            features.OBJECTIVES[name]()(*pair)

    def test_rebuilt_with_its_weights_it_gives_the_same_loss(self, name, rng):
        pair = reference.EXAMPLES[name](rng, BATCH)
        objective, other = features.OBJECTIVES[name](), features.OBJECTIVES[name]()
        expected = ops.convert_to_numpy(objective(*pair))
        # Through JSON, as a saved file holds it.
        other.build_from_config(json.loads(json.dumps(objective.get_build_config())))
        assert other.adapter == objective.adapter
        other.set_weights(objective.get_weights())
        np.testing.assert_allclose(ops.convert_to_numpy(other(*pair)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ZERO_WHEN_EQUAL)
def test_zero_when_the_student_equals_the_teacher(name, rng):
    teacher, _ = reference.EXAMPLES[name](rng, BATCH)
    np.testing.assert_allclose(ops.convert_to_numpy(features.OBJECTIVES[name]()(teacher, teacher)), 0.0, atol=1e-5)


@pytest.mark.parametrize("shapes", MAPS, ids=str)
@pytest.mark.parametrize("name", SINGLE)
def test_maps_equal_the_reference(name, shapes, rng):
    check_equals_reference(features.OBJECTIVES[name](), *(draw(rng, shape) for shape in shapes))


@pytest.mark.parametrize("channels", [(6, 6), (6, 3), (3, 6)])
@pytest.mark.parametrize("name", VECTORS)
def test_vectors_equal_the_reference(name, channels, rng):
    check_equals_reference(features.OBJECTIVES[name](), *(draw(rng, (n,)) for n in channels))


@pytest.mark.parametrize("shapes", LAYERS, ids=str)
@pytest.mark.parametrize("name", LISTS)
def test_lists_equal_the_reference(name, shapes, rng):
    check_equals_reference(features.OBJECTIVES[name](), *(draw(rng, shape) for shape in shapes))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("cosine", {"pooled": True}),
        ("neuron_selectivity", {"degree": 3, "offset": 0.5}),
        ("variational_information", {"initial_variance": 1.0, "epsilon": 0.01}),
        ("activation_boundaries", {"margin": 0.5}),
        ("overhaul", {"margin": -0.4}),
        ("overhaul", {"margin": [-0.1, -0.2, -0.3, -0.4, -0.5, 0.0]}),
        ("projector", {"power": 1.5}),
    ],
)
def test_arguments_equal_the_reference(name, config, rng):
    objective = features.OBJECTIVES[name](**config)
    check_equals_reference(objective, draw(rng, (4, 4, 6)), draw(rng, (8, 8, 3)), **config)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert copy.get_config() == objective.get_config()
    assert {key: copy.get_config()[key] for key in config} == config


@pytest.mark.parametrize(("name", "config"), [("knowledge_review", {"channels": 7}), ("singular_vectors", {"rank": 3})])
def test_three_layers_equal_the_reference(name, config, rng):
    teacher, student = [(8, 8, 4), (4, 4, 6), (2, 2, 8)], [(9, 9, 4), (5, 5, 5), (3, 3, 6)]
    check_equals_reference(features.OBJECTIVES[name](**config), draw(rng, teacher), draw(rng, student), **config)


@pytest.mark.parametrize("shape", [(6, 4, 4, 1), (1, 4, 4, 5), (6, 4, 5), (6, 3, 4, 5)])
@pytest.mark.parametrize("name", [name for name in SINGLE if name not in ("attention", "neuron_selectivity")])
def test_functions_refuse_other_shapes(name, shape, rng):
    """Those that broadcast would give a number that means nothing."""
    rest = (np.ones(5),) if name == "variational_information" else ()
    with pytest.raises(InputError, match=r"of the same shape.*Received: teacher \(6, 4, 4, 5\) and student \("):
        getattr(features, name)(rng.normal(size=(6, 4, 4, 5)), rng.normal(size=shape), *rest)


@pytest.mark.parametrize("name", LISTS)
def test_functions_of_lists_refuse_other_channels(name, rng):
    teacher, student = draw(rng, LAYERS[0][0]), draw(rng, LAYERS[1][1])
    with pytest.raises(InputError, match=r"of the same shape.*Received: teacher \(.*5.* and student \(.*3"):
        getattr(features, name)(teacher, student)


@pytest.mark.parametrize(
    ("name", "teacher", "student", "words"),
    [
        ("hint", (4, 4, 256), (8, 8, 64), "1×1 convolution 64 → 256 channels, student map resized 8×8 → 4×4"),
        ("hint", (10,), (10,), "linear layer 10 → 10 channels"),
        ("cosine", (8, 8, 6), (4, 4, 6), "teacher map resized 8×8 → 4×4"),
        ("attention", (4, 4, 6), (8, 8, 3), "student map resized 8×8 → 4×4"),
        ("overhaul", (4, 4, 6), (4, 4, 3), "1×1 convolution with batch normalization 3 → 6 channels"),
        ("flow", LAYERS[1][0], LAYERS[1][1], "layer 1: 1×1 convolution 3 → 5 channels"),
        ("knowledge_review", *LAYERS[1], "fusion by 6 channels: fusion 3 → 5 channels, fusion 6 → 6 channels"),
    ],
)
def test_says_what_the_adapter_does(name, teacher, student, words, rng):
    objective = features.OBJECTIVES[name]()
    objective(draw(rng, teacher), draw(rng, student))
    assert words in objective.adapter


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("neuron_selectivity", {"degree": 0}),
        ("neuron_selectivity", {"offset": -1.0}),
        ("variational_information", {"initial_variance": 0.0}),
        ("variational_information", {"initial_variance": 1e-6}),
        ("activation_boundaries", {"margin": 0.0}),
        ("projector", {"power": -1.0}),
        ("knowledge_review", {"channels": 0}),
        ("singular_vectors", {"rank": 0}),
    ],
)
def test_refuses_arguments_out_of_range(name, config):
    with pytest.raises(InputError, match=f"{next(iter(config))}.*Received"):
        features.OBJECTIVES[name](**config)


def test_every_objective_has_a_reference_and_an_example():
    assert NAMES == list(reference.REFERENCES) == list(reference.EXAMPLES)
