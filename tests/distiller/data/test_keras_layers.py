"""Views of Keras's layers: drawn from keys alone, so that they come again whatever the batch, the order or the run."""

import keras
import numpy as np
import pytest

from distiller import data, teachers
from distiller.errors import InputError
from distiller.objectives import Hinton
from distiller.recipes.training import Training
from distiller.trainer.distiller import Distiller

LAYERS = [{"name": "RandomRotation", "factor": 0.1}, {"name": "RandomBrightness", "factor": 0.2}]


@pytest.fixture(scope="module")
def split():
    random = np.random.default_rng(0)
    return data.Split(random.integers(0, 256, (21, 12, 12, 3), dtype="uint8"), np.arange(21, dtype="int32") % 3)


@pytest.fixture(scope="module")
def views():
    return data.Augmentation(crop=1, flip=True, layers=LAYERS)


def network(seed=3):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((12, 12, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    )


def test_a_view_is_what_the_layers_make_of_one_image_with_these_states(split, views):
    alone = data.Augmentation(layers=LAYERS)
    draws = alone.draws(3, 1, len(split))
    found = alone(split.images, draws)
    rotation, brightness = keras.layers.RandomRotation(0.1), keras.layers.RandomBrightness(0.2)
    for place in (0, 17, 20):
        rotation.generator.state.assign(draws[place, 3:5].astype("int64"))
        brightness.generator.state.assign(draws[place, 5:7].astype("int64"))
        image = split.images[place : place + 1].astype("float32")
        expected = brightness(rotation(image, training=True), training=True)
        np.testing.assert_allclose(found[place], keras.ops.convert_to_numpy(expected)[0], atol=2e-3)
    assert np.abs(found - split.images).mean() > 5


def test_views_do_not_depend_on_the_batch_or_its_order(split, views):
    draws = views.draws(5, 0, len(split))
    whole = views(split.images, draws)
    order = np.random.default_rng(1).permutation(len(split))
    np.testing.assert_array_equal(views(split.images[order], draws[order]), whole[order])
    np.testing.assert_array_equal(views(split.images[4:5], draws[4:5]), whole[4:5])
    assert (views(split.images, views.draws(5, 1, len(split))) != whole).any(axis=(1, 2, 3)).all()


def test_a_resumed_training_sees_the_views_that_would_have_come(split, views):
    through = data.Batches(split, 8, seed=4, steps=2, augmentation=views)
    resumed = data.Batches(split, 8, seed=4, steps=2, augmentation=data.Augmentation(1, True, LAYERS))
    for epoch in range(3):
        through.seek(epoch)
        through.on_epoch_begin()
        expected = through[1]
    resumed.seek(2)
    resumed.on_epoch_begin()
    np.testing.assert_array_equal(resumed[1][0], expected[0])
    np.testing.assert_array_equal(resumed[1][1], expected[1])


def test_a_cache_holds_the_answers_to_the_views_that_a_student_sees(split, views, tmp_path):
    teacher = network()
    caches = [
        teachers.Cache(tmp_path / str(size), teacher, dtype="float32").build(
            split, views, seed=2, passes=2, batch_size=size
        )
        for size in (4, 21)
    ]
    batches = data.Batches(split, 6, seed=9, views=2, augmentation=views, taught=caches[0])
    for index in (0, 2):
        images, targets = batches[index]
        live = teacher.predict_on_batch(images)
        np.testing.assert_allclose(*targets["taught"].values(), live, atol=1e-5)
    stored = [next(iter(cache.rows(1, np.arange(len(split))).values())) for cache in caches]
    np.testing.assert_allclose(*stored, atol=1e-5)
    student = Distiller(teacher=teacher, student=network(4), objectives={"soft": Hinton(4.0)})
    student.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = student.fit(batches, epochs=1, shuffle=False, verbose=0).history
    assert np.isfinite(history["soft"]).all()
    with pytest.raises(InputError, match="built for something else"):
        data.Batches(split, 6, views=2, augmentation=data.Augmentation(1, True, LAYERS[:1]), taught=caches[0])


def test_masks_move_with_their_images(split):
    masks = (split.images[..., 0] > 127).astype("int32")
    images = np.repeat(255 * masks[..., None], 3, axis=-1).astype("uint8")
    views = data.Augmentation(
        crop=2, flip=True, layers=[keras.layers.RandomTranslation(0.3, 0.3, "constant", interpolation="nearest")]
    )
    draws = views.draws(0, 0, len(images))
    seen, moved = views.with_masks(images, masks, draws)
    np.testing.assert_array_equal(seen, views(images, draws))
    inside = moved >= 0
    np.testing.assert_array_equal(seen[..., 0][inside], 255.0 * moved[inside])
    assert (seen[..., 0][~inside] == 0).all()
    assert 0.05 < (~inside).mean() < 0.6


def test_the_names_and_seeds_of_layers_are_no_part_of_the_views(split):
    ours, theirs = (data.Augmentation(layers=keras.Sequential([keras.layers.RandomFlip(seed=s)])) for s in (1, 2))
    draws = ours.draws(0, 0, len(split))
    assert repr(ours) == repr(theirs)
    assert ours == theirs
    np.testing.assert_array_equal(ours(split.images, draws), theirs(split.images, draws))


def test_an_augmentation_without_layers_is_what_it_was():
    assert repr(data.Augmentation(2, True)) == "Augmentation(crop=2, flip=True)"
    assert data.Augmentation(layers=[]) == data.Augmentation()
    assert data.Augmentation(layers=LAYERS) != data.Augmentation()
    with_layers = data.Augmentation(2, True, LAYERS).draws(7, 3, 5)
    np.testing.assert_array_equal(with_layers[:, :3], data.Augmentation(2, True).draws(7, 3, 5))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"name": "RandomRotatoin"}], "RandomRotation"),
        ([{"name": "RandomRotation", "faktor": 1}], "Impossible arguments of RandomRotation"),
        ([{"factor": 1}], "names with arguments"),
        ([keras.layers.MixUp()], "mixing"),
        ([{"name": "MixUp"}], "mixing"),
    ],
)
def test_impossible_layers_are_named(layers, message):
    with pytest.raises(InputError, match=message):
        data.Augmentation(layers=layers)
    if isinstance(layers[0], dict):
        with pytest.raises(ValueError, match=message):
            Training(epochs=1, augmentation=layers)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Dense(3), "without weights"),
        (keras.layers.RandomCrop(6, 6), "have the shape of the images"),
        (keras.layers.RandomSaturation(0.5, name="grey"), "RandomSaturation failed"),
    ],
)
def test_layers_that_make_no_views_are_named_with_the_first_images(split, layer, message):
    views = data.Augmentation(layers=layer)
    images = split.images[..., :2] if layer.name == "grey" else split.images
    with pytest.raises(InputError, match=message):
        views(images, views.draws(0, 0, len(images)))


def test_a_blend_of_several_views_has_no_mask(split):
    views = data.Augmentation(layers=keras.layers.AugMix())
    with pytest.raises(InputError, match="AugMix blends"):
        views.with_masks(split.images, np.zeros((21, 12, 12), "int32"), views.draws(0, 0, 21))
