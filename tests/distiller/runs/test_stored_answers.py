"""Stored answers of several teachers, and which students may learn from them."""

import keras
import numpy as np
import pytest

from distiller import Distiller, bridges, data, models, objectives, recipes, teachers
from distiller.errors import InputError
from distiller.recipes.schema import Cache
from distiller.runs.teacher_cache import TeacherCaches, cached_outputs, stores
from distiller.utils.progress import Reporter

VIEWS = data.Augmentation(crop=1, flip=True)


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return data.Split(random.integers(0, 256, (20, 8, 8, 1)).astype("uint8"), np.full(20, -1, "int32"))


@pytest.fixture
def learner():
    keras.utils.set_random_seed(0)
    adapted = bridges.FineTune()
    teacher = models.build("wide", 6, (8, 8, 1), widths=(8, 8), stem=4)
    adapted.prepare(teacher, 3)
    return Distiller(
        teacher=teacher,
        student=models.build("resnet8", 3, (8, 8, 1), width=4),
        objectives={
            "soft": objectives.Hinton(),
            "own": objectives.Hinton(),
            "similar": objectives.SimilarityPreserving(teacher_layer="features", student_layer="features"),
        },
        bridge={"soft": adapted, "own": bridges.AuxiliaryHead(), "similar": adapted},
    )


def stored(learner, images, folder):
    layers = {"soft": ["features"], "own": []}
    return teachers.Caches(
        {
            first: teachers.Cache(folder / first, network, layers[first], dtype="float32").build(
                images, VIEWS, seed=3, passes=2
            )
            for first, network in learner.teachers.items()
        }
    )


def test_stored_answers_of_several_teachers_are_those_of_the_same_views(learner, images, tmp_path):
    batches = data.Batches(images, 16, seed=1, views=3, augmentation=VIEWS, taught=stored(learner, images, tmp_path))
    for index in range(2):  # the second batch spans two passes
        pixels, targets = batches[index]
        live = learner.teacher_outputs(pixels)
        assert targets["taught"].keys() == live.keys()
        for name, answer in live.items():
            answer = keras.ops.convert_to_numpy(answer)
            np.testing.assert_allclose(targets["taught"][name], answer, rtol=1e-4, atol=1e-5)


def test_a_distiller_of_several_bridges_trains_on_them(learner, images, tmp_path):
    batches = data.Batches(images, 16, seed=1, views=3, augmentation=VIEWS, taught=stored(learner, images, tmp_path))
    learner.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = learner.fit(batches, epochs=1, verbose=0, shuffle=False).history
    assert all(np.isfinite(history[name]).all() for name in ("loss", "soft", "own", "similar"))


def test_other_images_views_or_too_few_passes_are_refused(learner, images, tmp_path):
    caches = stored(learner, images, tmp_path)
    with pytest.raises(InputError, match="seed of the views"):
        data.Batches(images, 16, views=4, augmentation=VIEWS, taught=caches)
    with pytest.raises(InputError, match="holds 2 passes over the data, and 3 are needed"):
        caches.require(3)


@pytest.mark.parametrize(
    ("section", "objective", "mixing", "answer"),
    [
        (Cache(), objectives.Hinton(), False, True),
        (Cache(), objectives.Hinton(), True, False),
        (Cache(), objectives.SimilarityPreserving(teacher_layer="a", student_layer="b"), False, False),
        (Cache(layers=True), objectives.SimilarityPreserving(teacher_layer="a", student_layer="b"), False, True),
        (Cache(), teachers.Virtual(), False, False),
    ],
)
def test_which_students_learn_from_stored_answers(section, objective, mixing, answer):
    assert stores(section, {"one": objective}, mixing=mixing) is answer


def test_a_training_may_end_before_its_views_repeat(tmp_path):
    """Two passes are taken where the views would repeat after five: two are stored, and they are enough."""
    recipe = recipes.read_run(
        "ten_of_cifar100", ["cache={cycle: 5}", "training.crop=1", "arms={soft: {objectives: {soft: {name: hinton}}}}"]
    )
    images = data.Split(np.zeros((20, 8, 8, 1), "uint8"), np.zeros(20, "int32"))
    options = options_of(recipe, tmp_path, images, seed=0, passes=2)
    batches = data.Batches(images, 10, steps=4, augmentation=data.Augmentation(1, flip=True), **options)
    batches.require(1)  # raises where the cache has too few passes
    assert options["cycle"] == options["taught"].passes == batches.passes(epochs=1) == 2


@pytest.mark.parametrize(
    ("change", "caches"),
    [("seeds=[0, 1]", 1), ("bridge={name: probe}", 2), ("arms.soft.unlabelled=false", 2)],
    ids=["subset", "probe", "labelled images alone"],
)
def test_students_of_other_labels_share_answers_that_do_not_depend_on_them(change, caches, tmp_path):
    arms = "arms={soft: {objectives: {soft: {name: hinton}}}}"
    recipe = recipes.read_run("ten_of_cifar100", ["cache={}", "training.crop=1", arms, change])
    assert recipe.labels_seed(0) != recipe.labels_seed(1)
    images = data.Split(np.zeros((20, 8, 8, 1), "uint8"), np.zeros(20, "int32"))
    for seed in (0, 1):
        options_of(recipe, tmp_path, images, seed, passes=1)
    assert len(list(tmp_path.iterdir())) == caches


def options_of(recipe, folder, images, seed, passes):
    """Arguments of the batches of the arm `soft`."""
    caches, outputs = TeacherCaches(recipe.cache, folder, Reporter()), cached_outputs(recipe, "soft", seed)
    return caches.options(one_teacher(), images, recipe.plan("soft"), outputs, passes, title="soft")


def one_teacher():
    """A learner whose teacher's answers can be stored."""
    keras.utils.set_random_seed(0)
    networks = {role: models.build("resnet8", 3, (8, 8, 1), width=4) for role in ("teacher", "student")}
    return Distiller(**networks, objectives={"soft": objectives.Hinton()})
