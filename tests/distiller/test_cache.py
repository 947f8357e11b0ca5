"""Stored answers are the teacher's own to the same views, belong to what they say, and survive what may happen."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from distiller import Distiller, bridges, data, objectives
from distiller.data import Augmentation, Batches
from distiller.errors import InputError, WorkError
from distiller.taps import LOGITS
from distiller.teachers import fingerprint, store
from distiller.teachers.cache import Cache
from distiller.teachers.rows import keep_top, spread

VIEWS = Augmentation(crop=1, flip=True)
CLASSES = 5


def network(classes=CLASSES, channels=3, scale=1.0, dtype="float32", named=True):
    """A small teacher with a map (6, 6, channels), a vector (channels,) and logits."""

    def name(text):
        return text if named else None

    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", dtype=dtype, name=name("map"))(inputs)
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name=name("vector"))(x)
    kernel = keras.initializers.RandomNormal(0, 0.02 * scale)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel, dtype="float32", name=name("logits"))(x)
    return keras.Model(inputs, logits)


@pytest.fixture(scope="module")
def split():
    return images()


def images(count=21, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 1)).astype("uint8")
    return data.Split(values, np.arange(count, dtype="int32"))


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(1)
    return network()


@pytest.fixture
def build(tmp_path, teacher, split):
    """Builds two passes; arguments of `Cache` and of `Cache.build` together."""

    def make(folder="cache", **options):
        form = {key: options.pop(key) for key in ("layers", "dtype", "top_k") if key in options}
        cache = Cache(tmp_path / folder, options.pop("teacher", teacher), **form)
        options = {"split": split, "augmentation": VIEWS, "passes": 2, "batch_size": 8, **options}
        return cache.build(**options)

    return make


@pytest.fixture(scope="module")
def stored(tmp_path_factory, teacher, split):
    """A cache that tests only read: two passes in float16, seed 0."""
    folder = tmp_path_factory.mktemp("stored")
    Cache(folder, teacher).build(split, VIEWS, passes=2, batch_size=8)
    return folder


@pytest.fixture
def copied(stored, tmp_path):
    """The same, to be harmed."""
    return shutil.copytree(stored, tmp_path / "cache")


def live(teacher, split, seed, turn, samples, layers=()):
    """What the teacher says to these views, and no part of the cache."""
    draws = VIEWS.draws(seed, turn, len(split))
    views = VIEWS(split.images[samples], draws[samples]).astype("float32")
    outputs = {LOGITS: teacher.output, **{name: teacher.get_layer(name).output for name in layers}}
    answers = keras.Model(teacher.input, outputs)(views, training=False)
    return {name: keras.ops.convert_to_numpy(answer) for name, answer in answers.items()}


def assert_answers(cache, teacher, split, turn, seed=0):
    """The logits of a pass are the teacher's, as float16 rounds them."""
    samples = np.arange(len(split))
    expected = live(teacher, split, seed, turn, samples)[LOGITS]
    np.testing.assert_allclose(cache.rows(turn, samples)[LOGITS], expected, rtol=2**-11 + 1e-5, atol=1e-6)


class TestAnswers:
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_are_the_teachers_own(self, build, teacher, split, dtype):
        layers = ["map", "vector"]
        cache = build(layers=layers, dtype=dtype, seed=3)
        samples = np.array([20, 3, 7, 3])
        # float16 rounds to 11 bits, and below 2⁻¹⁴ to multiples of 2⁻²⁴.
        rtol, atol = (2**-11, 2**-25) if dtype == "float16" else (0, 0)
        for turn in (0, 1):
            found = cache.rows(turn, samples)
            for name, expected in live(teacher, split, 3, turn, samples, layers).items():
                assert found[name].dtype == np.float32
                # Batches of other sizes may add up in another order.
                np.testing.assert_allclose(found[name], expected, rtol=rtol + 1e-5, atol=atol + 1e-6)
        assert not np.allclose(cache.rows(0, samples)[LOGITS], cache.rows(1, samples)[LOGITS])

    @pytest.mark.parametrize("seed", [3, 8])
    def test_go_with_the_images_of_their_batch(self, build, teacher, split, seed):
        """Students of any seed, across the passes: what the live teacher says to the very images of the batch."""
        cache = build(layers="vector", dtype="float32", seed=5, passes=3)
        batches = Batches(split, 8, seed=seed, views=5, augmentation=VIEWS, taught=cache)
        watched = keras.Model(teacher.input, [teacher.output, teacher.get_layer("vector").output])
        seen = [batches[index] for index in range(7)]  # 56 images of 3 · 21
        logits, vector = watched.predict(np.concatenate([pixels for pixels, _ in seen]), verbose=0)
        for name, expected in ((LOGITS, logits), ("vector", vector)):
            found = np.concatenate([y["taught"][name] for _, y in seen])
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_of_mixed_precision_are_stored(self, build, split):
        half = network(dtype="mixed_bfloat16")
        found = build(teacher=half, layers=["map"], dtype="float32").rows(1, np.arange(9))
        for name, expected in live(half, split, 0, 1, np.arange(9), ["map"]).items():
            np.testing.assert_allclose(found[name], expected.astype("float32"), rtol=2e-2, atol=1e-2)

    def test_without_augmentation_one_pass_is_all(self, build, teacher, split):
        cache = build(augmentation=None, passes=9)
        assert cache.passes == 1
        batches = Batches(split, 7, seed=4, taught=cache)
        assert batches.passes(epochs=100) == 1
        pixels, y = batches[11]
        np.testing.assert_allclose(y["taught"][LOGITS], teacher(pixels), rtol=2**-11 + 1e-5, atol=1e-6)

    def test_too_large_for_float16_and_what_the_message_says(self, build, tmp_path):
        loud = network(scale=1e6)
        with pytest.raises(InputError, match=r"'@logits' reaches .* too large for float16. Use dtype='float32'"):
            build(teacher=loud)
        # In the same folder: what failed before its first pass owns nothing.
        assert build(teacher=loud, dtype="float32").passes == 2

    def test_that_are_no_numbers_are_refused(self, build):
        broken = network()
        broken.layers[-1].bias.assign([0, 0, np.nan, 0, 0])
        with pytest.raises(InputError, match="'@logits' is not finite"):
            build(teacher=broken)

    def test_of_no_fixed_shape_are_refused(self, tmp_path):
        inputs = keras.Input((None, None, 1))
        x = keras.layers.Conv2D(2, 3, name="map")(inputs)
        free = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
        with pytest.raises(InputError, match=r"fixed shape.*'map' of \(None, None, None, 2\)"):
            Cache(tmp_path, free, ["map"])


class TestTopK:
    @pytest.mark.parametrize(("classes", "k"), [(2, 1), (5, 3), (100, 10), (100, 99)])
    @pytest.mark.parametrize("scale", [1, 5, 200])
    def test_keeps_the_best_probabilities_and_spreads_the_rest_evenly(self, classes, k, scale):
        logits = np.random.default_rng(k).normal(size=(16, classes)) * scale
        kept, best = keep_top(logits, k)
        found = log_softmax(spread(kept, best, classes), axis=-1)
        expected = log_softmax(logits, axis=-1)
        for row in range(16):
            order = np.argsort(-logits[row])
            assert set(best[row]) == set(order[:k])
            np.testing.assert_allclose(found[row, order[:k]], expected[row, order[:k]], atol=1e-10)
            rest = softmax(logits[row])[order[k:]].sum() / (classes - k)
            np.testing.assert_allclose(np.exp(found[row, order[k:]]), rest, rtol=1e-9)

    def test_the_best_logits_stay_the_teachers_own(self, build, teacher, split):
        samples = np.arange(21)
        found = build(top_k=2, dtype="float32").rows(1, samples)[LOGITS]
        expected = live(teacher, split, 0, 1, samples)[LOGITS]
        best = np.argsort(-expected)[:, :2]
        np.testing.assert_allclose(
            np.take_along_axis(found, best, 1), np.take_along_axis(expected, best, 1), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            np.take_along_axis(softmax(found, -1), best, 1),
            np.take_along_axis(softmax(expected.astype("float64"), -1), best, 1),
            rtol=1e-5,
        )

    def test_in_float16_keeps_them_within_its_rounding(self, build, teacher, split):
        samples = np.arange(21)
        found = build(top_k=2).rows(0, samples)[LOGITS]
        expected = live(teacher, split, 0, 0, samples)[LOGITS].astype("float64")
        best = np.argsort(-expected)[:, :2]
        # A logit is off by 2⁻¹¹ of itself, its probability by that of the logit and that of the largest.
        rtol = 2.5 * np.abs(expected).max() * 2**-11
        np.testing.assert_allclose(
            np.take_along_axis(softmax(found, -1), best, 1), np.take_along_axis(softmax(expected, -1), best, 1), rtol
        )

    def test_takes_less_room(self, build):
        wide = network(classes=100)
        bytes_ = [
            build(folder, teacher=wide, **form).describe()["bytes"]
            for folder, form in (("a", {}), ("b", {"top_k": 10}))
        ]
        # Two passes of 21 rows: 100 numbers of 2 bytes; 11 of them and 10 classes of 1 byte. Headers and digests.
        for stored, row in zip(bytes_, (200, 32), strict=True):
            assert 2 * 21 * row < stored < 2 * 21 * row + 600

    @pytest.mark.parametrize("k", [0, 5])
    def test_refuses(self, tmp_path, teacher, k):
        with pytest.raises(InputError, match=rf"Expected 1 to 4, or None.*top_k={k}"):
            Cache(tmp_path, teacher, top_k=k)


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

    def test_its_own_folder(self, tmp_path, teacher):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="is a file"):
            Cache(tmp_path / "file", teacher)

    def test_a_known_dtype(self, tmp_path, teacher):
        with pytest.raises(InputError, match=r"Expected one of \['float16', 'float32'\].*dtype='int8'"):
            Cache(tmp_path, teacher, dtype="int8")


class TestBatches:
    def test_views_have_a_seed_of_their_own(self, split):
        one, other = (Batches(split, 21, seed=seed, views=5, augmentation=VIEWS)[0] for seed in (1, 2))
        assert (one[1] != other[1]).any()
        for a, b in ((0, 1), (1, 0)):
            pixels, labels = (one, other)[a]
            np.testing.assert_array_equal(
                pixels[np.argsort(labels)], (one, other)[b][0][np.argsort((one, other)[b][1])]
            )

    def test_views_are_those_of_the_seed_by_default(self, split):
        one, same = (Batches(split, 8, seed=4, augmentation=VIEWS, **views)[3] for views in ({}, {"views": 4}))
        for a, b in zip(one, same, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_views_repeat_and_the_order_does_not(self, split):
        batches = Batches(split, 21, augmentation=VIEWS, cycle=2)
        seen = [batches[turn] for turn in range(4)]
        by_label = [pixels[np.argsort(labels)] for pixels, labels in seen]
        np.testing.assert_array_equal(by_label[0], by_label[2])
        np.testing.assert_array_equal(by_label[1], by_label[3])
        assert (by_label[0] != by_label[1]).any()
        assert (seen[0][1] != seen[2][1]).any()

    def test_views_repeat_with_the_cache(self, stored, teacher, split):
        batches = Batches(split, 8, seed=4, views=0, augmentation=VIEWS, cycle=2, taught=Cache(stored, teacher))
        assert batches.passes(epochs=50) == 2
        for index in (5, 7, 9):  # within pass 1, from 2 to 3, from 3 to 4
            pixels, y = batches[index]
            np.testing.assert_allclose(y["taught"][LOGITS], teacher(pixels), rtol=2**-11 + 1e-5, atol=1e-6)

    def test_passes_of_epochs(self, split):
        assert Batches(split, 7, augmentation=VIEWS).passes(4) == 4
        assert Batches(split, 8, augmentation=VIEWS, steps=2).passes(4) == 4  # 64 images of 21
        assert Batches(split, 8, augmentation=VIEWS, steps=2, cycle=3).passes(4) == 3

    @pytest.mark.parametrize(
        ("part", "other"),
        [
            ("images", {"split": images(seed=1)}),
            ("augmentation", {"augmentation": Augmentation(flip=True)}),
            ("seed of the views", {"views": 1}),
        ],
    )
    def test_see_what_the_teacher_saw(self, stored, teacher, split, part, other):
        cache = Cache(stored, teacher)
        with pytest.raises(InputError, match=f"What differs: {part}"):
            Batches(**{"split": split, "batch_size": 8, "augmentation": VIEWS, "views": 0, "taught": cache, **other})

    def test_need_a_cache_that_is_built(self, tmp_path, teacher, split):
        with pytest.raises(InputError, match=r"is empty. Call its `build"):
            Batches(split, 8, augmentation=VIEWS, taught=Cache(tmp_path, teacher))

    def test_need_as_many_passes_as_they_repeat(self, stored, teacher, split):
        with pytest.raises(InputError, match="holds 2 passes over the data, and 3 are needed"):
            Batches(split, 8, augmentation=VIEWS, taught=Cache(stored, teacher), cycle=3)

    def test_more_passes_than_stored(self, stored, teacher, split):
        message = r"holds 2 passes over the data, and 3 are needed. Build it with passes=3, or .*cycle=2"
        batches = Batches(split, 7, augmentation=VIEWS, taught=Cache(stored, teacher))
        with pytest.raises(InputError, match=message):
            batches[6]
        batches.on_epoch_begin()
        batches.on_epoch_begin()
        with pytest.raises(InputError, match=message):
            batches.on_epoch_begin()

    def test_mixtures_cannot_be_stored(self, tmp_path, teacher, split):
        with pytest.raises(InputError, match=r"cannot be cached. Received: MixUp"):
            Cache(tmp_path, teacher).build(split, data.MixUp(), passes=1)
        with pytest.raises(InputError, match=r"Augmentation of single images. Received: CutMix"):
            Batches(split, 8, augmentation=data.CutMix())

    def test_refuse_an_impossible_cycle(self, split):
        with pytest.raises(InputError, match="cycle=0"):
            Batches(split, 8, cycle=0)


class TestFit:
    """A Distiller that reads the cache trains as one that runs its teacher."""

    @staticmethod
    def fit(teacher, batches, epochs=5, **options):
        keras.utils.set_random_seed(5)
        distiller = Distiller(
            teacher=teacher,
            student=network(channels=2),
            objectives={
                "soft": objectives.Hinton(temperature=2.0),
                "hint": objectives.Hint(teacher_layer="map", student_layer="map"),
            },
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        distiller.compile(keras.optimizers.SGD(1e-4, momentum=0.9), loss=loss, **options)
        callbacks = [data.Replay(batches)]
        return distiller.fit(batches, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks).history

    def test_with_the_same_losses(self, build, teacher, split):
        labelled = data.Split(split.images, split.labels % CLASSES)
        cache = build(layers=["map"], dtype="float32", passes=3)
        options = {"seed": 2, "views": 0, "steps": 1, "augmentation": VIEWS}
        expected = self.fit(teacher, Batches(labelled, 10, **options), run_eagerly=True)
        # A teacher that runs would make every loss NaN.
        broken = keras.models.clone_model(teacher)
        broken.set_weights([np.full_like(weight, np.nan) for weight in teacher.get_weights()])
        found = self.fit(broken, Batches(labelled, 10, taught=cache, **options), jit_compile=False)
        assert set(found) == {"loss", "labels", "soft", "hint"}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5)

    def test_that_needs_more_passes_does_not_begin(self, stored, teacher, split):
        batches = Batches(split, 7, augmentation=VIEWS, taught=Cache(stored, teacher))
        student = network()
        student.compile("sgd", run_eagerly=True)
        with pytest.raises(InputError, match="holds 2 passes over the data, and 4 are needed"):
            student.fit(batches, epochs=4, verbose=0, callbacks=[data.Replay(batches)])


class TestBuild:
    def test_tells_how_far_it_is(self, build):
        seen = []
        build(progress=seen.append)
        assert seen == [8, 16, 21, 29, 37, 42]
        build(passes=3, progress=seen.append)
        assert seen[6:] == [21, 42, 50, 58, 63]

    def test_says_what_is_stored(self, tmp_path, build):
        cache = build(layers=["map"], top_k=2)
        stored = cache.describe()
        files = sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.npy"))
        assert stored["passes"] == 2
        assert stored["bytes"] == files
        assert stored["answers"] == {LOGITS: [5], "map": [6, 6, 3]}
        assert stored["key"]["augmentation"] == repr(VIEWS)
        expected = f"2 passes, {files:,} bytes, @logits (5,), map (6, 6, 3) in float16, top 2>"
        assert repr(cache).endswith(expected)

    @pytest.mark.parametrize("options", [{"passes": 0}, {"batch_size": 0}, {"split": images(0)}])
    def test_refuses(self, build, options):
        with pytest.raises(InputError, match="1 or more for `passes` and `batch_size`"):
            build(**options)

    def test_goes_on_after_an_interruption(self, tmp_path, build, teacher, split):
        def stop(done):
            if done == 29:  # in the second pass
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build(progress=stop)
        names = {path.name for path in (tmp_path / "cache").iterdir()}
        assert names == {"cache.json", "pass-0000.npy"}
        first = (tmp_path / "cache" / "pass-0000.npy").stat()
        cache = build()
        assert (tmp_path / "cache" / "pass-0000.npy").stat().st_ino == first.st_ino
        assert_answers(cache, teacher, split, turn=1)

    def test_twice_at_once(self, build, teacher, split):
        """While one is in its second pass, another builds all of them; both have them whole."""
        made = []
        made.append(build(passes=3, progress=lambda done: made.append(build(passes=3)) if done == 29 else None))
        assert len(made) == 2
        for turn in range(3):
            for cache in made:
                assert_answers(cache, teacher, split, turn)

    def test_a_full_disk(self, monkeypatch, tmp_path, build):
        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WorkError, match=r"cannot be built: No space left on device. A pass takes 210 bytes"):
            build()
        assert not list((tmp_path / "cache").iterdir())

    def test_removes_what_was_left_behind_long_ago(self, copied, build):
        old, new = (copied / f"pass-0002.npy.{name}.part" for name in ("old", "new"))
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (1, 1))
        build()
        assert not old.exists()
        assert new.exists()

    def test_memory_stays_flat(self, tmp_path):
        """A pass is 24 MB of maps; neither writing nor reading holds more than some batches of them."""
        inputs = keras.Input((16, 16, 1))
        maps = keras.layers.Conv2D(24, 1, name="map")(inputs)
        wide = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
        many = data.Split(np.zeros((1000, 16, 16, 1), "uint8"), np.zeros(1000, "int32"))
        cache = Cache(tmp_path, wide, ["map"], dtype="float32").build(
            many.take(np.arange(1000)), passes=1, batch_size=10
        )
        assert cache.describe()["bytes"] > 24e6
        (tmp_path / "pass-0000.npy").unlink()
        tracemalloc.start()
        try:
            cache = Cache(tmp_path, wide, ["map"], dtype="float32").build(many, passes=1, batch_size=10)
            cache.rows(0, np.arange(0, 1000, 100))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 6e6


class TestDamage:
    @pytest.mark.parametrize(
        "harm",
        [
            lambda content: content[:-1],
            lambda content: content[: len(content) // 2],
            lambda content: b"",
            lambda content: content + b"\0",
            lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
            lambda content: content.replace(b"'fortran", b"'f\0rtran"),
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        ],
        ids=["a byte short", "half", "empty", "a byte more", "one bit", "header", "digest"],
    )
    def test_is_noticed(self, copied, build, teacher, harm):
        file = copied / "pass-0001.npy"
        whole = file.read_bytes()
        file.write_bytes(harm(whole))
        assert file.read_bytes() != whole
        remedy = r"'[^']*pass-0001.npy' is cut short or damaged. Delete it and build the cache again"
        with pytest.raises(InputError, match=remedy):
            build()
        with pytest.raises(InputError, match=remedy):
            Cache(copied, teacher).rows(1, np.arange(3))

    def test_is_mended_as_the_message_says(self, copied, build, teacher, split):
        (copied / "pass-0001.npy").unlink()
        seen = []
        cache = build(progress=seen.append)
        assert seen == [21, 29, 37, 42]
        assert_answers(cache, teacher, split, turn=1)

    def test_a_pass_in_anothers_place_is_noticed(self, copied, build):
        (copied / "pass-0000.npy").write_bytes((copied / "pass-0001.npy").read_bytes())
        with pytest.raises(InputError, match=r"pass-0000.npy' is cut short or damaged"):
            build()

    def test_a_pass_of_another_cache_is_noticed(self, copied, tmp_path, build):
        build("other", seed=1, passes=1)
        (copied / "pass-0000.npy").write_bytes((tmp_path / "other" / "pass-0000.npy").read_bytes())
        with pytest.raises(InputError, match=r"pass-0000.npy' is cut short or damaged"):
            build()

    @pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 0, "key": {}}', None])
    def test_of_the_key_is_noticed(self, copied, teacher, content):
        file = copied / "cache.json"
        file.unlink() if content is None else file.write_text(content)
        with pytest.raises(
            InputError, match=r"cache.json' is missing, damaged or of another version. Delete its folder"
        ):
            Cache(copied, teacher)


WRITER = """
import importlib.util, sys
from pathlib import Path
import numpy as np

spec = importlib.util.spec_from_file_location("store", sys.argv[1])
store = importlib.util.module_from_spec(spec)
spec.loader.exec_module(store)
stop = sys.argv[3] == "stop"
rows = np.ones(4000, [("x", "f4", (2,))])

def blocks():
    for first in range(0, 4000, 100):
        yield rows[first : first + 100]
        if stop and first == 2000:
            print("half", flush=True)
            sys.stdin.read()

if not stop:
    print("ready", flush=True)
while True:
    store.write_rows(Path(sys.argv[2]), blocks(), rows.dtype, len(rows), b"salt")
"""


def test_processes_that_write_and_are_killed_leave_a_whole_file(tmp_path):
    """Two write the same file over and over, a third stops half-way: it is whole at every moment."""
    path = tmp_path / "pass-0000.npy"

    def start(mode):
        command = [sys.executable, "-c", WRITER, store.__file__, str(path), mode]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def assert_whole():
        rows = store.read_rows(path, b"salt")
        assert len(rows) == 4000
        assert (rows["x"] == 1).all()

    writers = [start(mode) for mode in ("stop", "go", "go")]
    try:
        assert [writer.stdout.readline() for writer in writers] == ["half\n", "ready\n", "ready\n"]
        while not path.exists():
            time.sleep(0.01)
        for writer in writers:
            for _ in range(5):
                assert_whole()
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        assert_whole()
        left = [file.stat().st_size for file in tmp_path.glob("*.part")]
        assert any(0 < size < path.stat().st_size for size in left)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
