"""Stored answers are the teacher's own to the same views, whole or the best k of them."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from support.caches import VIEWS, live, network

from distiller.data import Batches
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.teachers.caching.cache import Cache
from distiller.teachers.caching.stored_rows import keep_top, spread


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
        with pytest.raises(InputError, match=r"'logits' reaches .* too large for float16. Use dtype='float32'"):
            build(teacher=loud)
        # In the same folder: what failed before its first pass owns nothing.
        assert build(teacher=loud, dtype="float32").passes == 2

    def test_that_are_no_numbers_are_refused(self, build):
        broken = network()
        broken.layers[-1].bias.assign([0, 0, np.nan, 0, 0])
        with pytest.raises(InputError, match="'logits' is not finite"):
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
