"""Batches with stored answers, and training on them."""

import keras
import numpy as np
import pytest
from support.caches import CLASSES, VIEWS, images, network

from distiller import Distiller, data, objectives
from distiller.data import Augmentation, Batches
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.teachers.caching.cache import Cache
from distiller.teachers.caching.caches import Caches
from distiller.trainer.pairing import Pairing


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
        for _ in range(2):
            batches.on_epoch_begin()
            batches.on_epoch_end()
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

    def test_with_the_same_losses(self, build, teacher, split, monkeypatch):
        labelled = data.Split(split.images, split.labels % CLASSES)
        cache = build(layers=["map"], dtype="float32", passes=3)
        options = {"seed": 2, "views": 0, "steps": 1, "augmentation": VIEWS}
        expected = self.fit(teacher, Batches(labelled, 10, **options), run_eagerly=True)
        monkeypatch.delattr(Pairing, "teacher_outputs")  # a teacher that runs would be an error
        found = self.fit(teacher, Batches(labelled, 10, taught=cache, **options), jit_compile=False)
        assert set(found) == {"loss", "labels", "soft", "hint"}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5)

    def test_that_needs_more_passes_does_not_begin(self, stored, teacher, split):
        batches = Batches(split, 7, augmentation=VIEWS, taught=Cache(stored, teacher))
        student = network()
        student.compile("sgd", run_eagerly=True)
        with pytest.raises(InputError, match="holds 2 passes over the data, and 4 are needed"):
            student.fit(batches, epochs=4, verbose=0, callbacks=[data.Replay(batches)])

    def test_with_the_answers_of_another_teacher_does_not_begin(self, build, teacher, split):
        other = keras.models.clone_model(teacher)
        other.set_weights([weight + 0.5 for weight in teacher.get_weights()])
        batches = Batches(split, 8, views=0, augmentation=VIEWS, taught=build(layers=["map"]))
        with pytest.raises(InputError, match=r"What differs: teacher's weights .* Give the Distiller the teacher"):
            self.fit(other, batches, epochs=1)

    def test_without_the_answers_of_a_layer_does_not_begin(self, build, teacher, split):
        batches = Batches(split, 8, views=0, augmentation=VIEWS, taught=build(layers=["vector"]))
        with pytest.raises(InputError, match=r"lacks the teacher's layers \['map'\].*layers=\['vector', 'map'\]"):
            self.fit(teacher, batches, epochs=1)

    def test_with_caches_of_other_bridges_does_not_begin(self, build, teacher, split):
        batches = Batches(split, 8, views=0, augmentation=VIEWS, taught=Caches({"other": build(layers=["map"])}))
        with pytest.raises(InputError, match=r"for each of the teachers \['soft'\]. Received: \['other'\]"):
            self.fit(teacher, batches, epochs=1)
