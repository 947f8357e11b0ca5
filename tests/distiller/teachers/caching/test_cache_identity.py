"""A cache belongs to one set of views, one teacher and one bridge."""

from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from support.caches import VIEWS, images, network

from distiller import bridges, data, models
from distiller.data import Augmentation
from distiller.errors import InputError
from distiller.networks import fingerprint
from distiller.teachers.caching.cache import Cache


class TestBelongsTo:
    @pytest.mark.parametrize(
        ("part", "other"),
        [
            ("images", {"split": images(seed=1)}),
            ("images", {"split": images(count=20)}),
            ("augmentation", {"augmentation": Augmentation(crop=1)}),
            ("seed of the views", {"seed": 1}),
            ("layers", {"layers": ["vector"]}),
            ("dtype", {"dtype": "float32"}),
            ("top_k", {"top_k": 2}),
        ],
    )
    def test_one_set_of_views_in_one_form(self, copied, build, part, other):
        with pytest.raises(
            InputError, match=rf"built for something else. What differs: {part} \(stored: .*delete this"
        ):
            build(**other)

    @pytest.mark.parametrize("part", ["architecture", "weights", "compute dtypes"])
    def test_one_teacher(self, stored, teacher, part):
        other = keras.models.clone_model(teacher)
        other.set_weights(teacher.get_weights())
        if part == "weights":
            other.layers[1].bias.assign_add([0.0, 0.0, 1e-6])
        elif part == "architecture":
            other = network(channels=3)
            other.layers[1].activation = keras.activations.tanh
            other.set_weights(teacher.get_weights())
        else:
            other = network(dtype="mixed_bfloat16")
            other.set_weights(teacher.get_weights())
        with pytest.raises(InputError, match=rf"What differs: teacher's {part} \([^;]*\). Name another"):
            Cache(stored, other)

    def test_one_bridge(self, tmp_path, build, teacher):
        first, other, same = (bridges.Subset(classes).teacher(teacher, 2) for classes in ([0, 3], [0, 4], [0, 3]))
        build(teacher=first)
        Cache(tmp_path / "cache", same)
        for wrong in (other, teacher):
            with pytest.raises(InputError, match="What differs: teacher's architecture"):
                Cache(tmp_path / "cache", wrong)

    def test_a_teacher_that_was_trained_meanwhile_is_another(self, tmp_path, build, split):
        changing = network()
        cache = build(teacher=changing)
        changing.layers[1].bias.assign_add([0.0, 0.0, 1.0])
        with pytest.raises(InputError, match="What differs: teacher's weights"):
            cache.build(split, VIEWS, passes=3)

    def test_the_same_teacher_under_other_circumstances(self, tmp_path, copied, build, teacher, split):
        """Saved and loaded, compiled, frozen, with labels hidden: the answers are the same."""
        teacher.save(tmp_path / "teacher.keras")
        loaded = keras.saving.load_model(tmp_path / "teacher.keras")
        loaded.compile("sgd", "mse")
        loaded.trainable = False
        files = {path.name: path.stat().st_ino for path in copied.iterdir()}
        build(teacher=loaded, split=data.Split(split.images, np.full(21, -1, "int32")))
        assert files == {path.name: path.stat().st_ino for path in copied.iterdir()}

    def test_names_that_keras_gives_do_not_matter_but_where_they_lead_does(self, tmp_path, build):
        first, second = network(named=False), network(named=False)
        second.set_weights(first.get_weights())
        names = [model.layers[1].name for model in (first, second)]
        assert names[0] != names[1]
        build(teacher=first)
        Cache(tmp_path / "cache", second)
        build("layered", teacher=first, layers=[names[0]])
        with pytest.raises(InputError, match=r"What differs: layers \("):
            Cache(tmp_path / "layered", second, [names[1]])

    def test_a_name_that_leads_elsewhere_is_noticed(self, tmp_path, build):
        def two(first, second):
            inputs = keras.Input((6, 6, 1))
            x = keras.layers.Activation("relu", name=first)(inputs)
            x = keras.layers.Activation("relu", name=second)(x)
            model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
            model.set_weights([np.ones((36, 2)), np.zeros(2)])
            return model

        build(teacher=two("a", "b"), layers=["a"])
        with pytest.raises(InputError, match=r"What differs: places of the layers \([^;]*\). Name"):
            Cache(tmp_path / "cache", two("b", "a"), ["a"])

    def test_what_a_teacher_casts_to_is_noticed(self, tmp_path, build):
        """Its layers may compute in other dtypes and keep their architecture."""

        def rounding(kind, dtype="float32"):
            inputs = keras.Input((6, 6, 1))
            x = keras.layers.Flatten(dtype=dtype)(inputs)
            x = keras.ops.cast(keras.ops.cast(x, kind), "float32")
            return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones", dtype=dtype)(x))

        build(teacher=rounding("int32"))
        Cache(tmp_path / "cache", rounding("int32"))
        with pytest.raises(InputError, match=r"What differs: teacher's architecture \([^;]*\). Name another"):
            Cache(tmp_path / "cache", rounding("int8"))
        found = {fingerprint.architecture(rounding("int32", dtype)) for dtype in ("float32", "mixed_bfloat16")}
        assert len(found) == 1

    def test_the_architecture_of_the_packaged_teacher_is_what_it_was(self):
        """Caches that are stored stay theirs."""
        assert fingerprint.architecture(models.load("wide_cifar100")) == "52c97b81c663b52c"

    def test_an_augmentation_that_does_not_show_its_numbers_is_refused(self, build):
        class Darker(Augmentation):
            def __init__(self, by, **options):
                super().__init__(**options)
                object.__setattr__(self, "by", by)

        @dataclass(frozen=True)
        class Brighter(Augmentation):
            by: int = 1

        @dataclass(frozen=True)
        class Secret(Augmentation):
            by: int = field(default=1, repr=False)

        for hidden in (Darker(2, crop=1), Secret(by=2)):
            with pytest.raises(InputError, match=rf"attributes of {type(hidden).__name__} as fields, .* besides: by"):
                build(augmentation=hidden)
        build(augmentation=Brighter(by=2))
        with pytest.raises(
            InputError, match=r"What differs: augmentation \(stored: .*Brighter\(crop=0, flip=False, by=2"
        ):
            build(augmentation=Brighter(by=3))

    def test_a_layer_without_configuration_is_refused(self, tmp_path):
        class Bare(keras.layers.Layer):
            def __init__(self, function):
                super().__init__()
                self.function = function

            def call(self, inputs):
                return self.function(inputs)

        inputs = keras.Input((4,))
        model = keras.Model(inputs, keras.layers.Dense(2)(Bare(lambda x: 2 * x)(inputs)))
        with pytest.raises(InputError, match=r"whose layers have a `get_config`.*Bare"):
            fingerprint.architecture(model)

    @pytest.mark.parametrize("named", [True, False])
    def test_a_layer_with_layers_in_its_configuration(self, named):
        """They are numbers, or layers that say nothing of their names."""

        class Stack(keras.layers.Layer):
            def __init__(self, layers, **kwargs):
                super().__init__(**kwargs)
                self.layers = layers

            def call(self, inputs):
                return inputs

            def get_config(self):
                return {**(super().get_config() if named else {}), "layers": self.layers}

        def made(layers):
            inputs = keras.Input((4,))
            return keras.Model(inputs, keras.layers.Dense(2)(Stack(layers)(inputs)))

        found = [fingerprint.architecture(made(layers)) for layers in ([8, 8], [8, 8], [8, 9], ["a", {"b": 1}])]
        assert found[0] == found[1]
        assert len(set(found)) == 3

    def test_its_own_folder(self, tmp_path, teacher):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="is a file"):
            Cache(tmp_path / "file", teacher)

    def test_a_known_dtype(self, tmp_path, teacher):
        with pytest.raises(InputError, match=r"Expected one of \['float16', 'float32'\].*dtype='int8'"):
            Cache(tmp_path, teacher, dtype="int8")
