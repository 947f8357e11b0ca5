"""Arguments of the trainings of a run: labels, batches, budget, learning rates, ramps."""

import keras
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from support.given import curve, record

from distiller import bridges, data, recipes
from distiller.runs.folder import RunFolder
from distiller.runs.stages import RunStages
from distiller.runs.students import StudentTrainer
from distiller.utils.progress import Reporter

CLASSES = ["3", "5", "6", "8", "9"]
RECIPE = """
kind: run
summary: every way to a training
data: {name: digits, classes: ["3", "5", "6", "8", "9"], validation: 0.1}
labels: {per_class: 4}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits, validation: 0.2}
    model: {name: wide, options: {widths: [8], stem: 4}}
    training: {epochs: 3, batch_size: 64, learning_rate: 0.2}
    seed: 5
bridge: {name: subset}
student: {name: wide, options: {widths: [4], stem: 4}}
training: {epochs: 4, batch_size: 100, learning_rate: 0.05, warmup: 0.25}
seeds: [1, 2]
arms:
  hard_labels: {}
  soft:
    objectives: {soft: {name: hinton, temperature: {start: 8.0, end: 2.0, epochs: 2}}}
    weights: {labels: {start: 1.0, end: 0.25, epochs: 1}, soft: {end: 0.75, epochs: 3}}
    training: {steps_per_epoch: 5, warmup: 0}
  inner:
    objectives:
      pairs: {name: contrastive, teacher_layer: features, student_layer: features, negatives: memory, samples: 700}
      soft: {name: standardized, objective: {name: hinton, temperature: {start: 5.0, end: 1.0, epochs: 3}}}
    training: {batch_size: 50, optimizer: adamw, learning_rate: 0.001, momentum: 0.8, weight_decay: 0.1}
  labelled_alone:
    objectives: {soft: {name: hinton}}
    unlabelled: false
    training: {dot: 0.05, momentum: 0.8, crop: 1, flip: true}
  mixed: {training: {mixing: {name: cutmix, alpha: 0.5}, label_smoothing: 0.2, precision: mixed_float16}}
  aware:
    start: soft
    objectives: {soft: {name: hinton}}
    quantize: {freeze: 0.75}
    training: {epochs: 2, learning_rate: 0.01}
  bridged:
    objectives: {soft: {name: hinton}}
    bridge:
      name: ensemble
      members:
        - {name: fine_tune, training: {epochs: 5, batch_size: 200, learning_rate: 0.02}}
        - {name: probe}
        - {name: transport}
"""
# Stages of students that see images without labels, and of what learns from labels alone.
TAUGHT = ["soft", "inner", "aware", "bridged"]
LABELLED = ["hard_labels", "mixed", "labelled_alone", "bridge-fine_tune"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The stages of a run, what `keras.Model.fit` was given by stage, and what the bridges that need no steps were."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "given.yaml").write_text(RECIPE)
    recipe = recipes.read_run(folder / "given.yaml")
    solved = []
    with pytest.MonkeyPatch.context() as patch:
        recorded = record(patch)
        for kind in (bridges.Probe, bridges.Transport):
            patch.setattr(kind, "fit", keeping(kind.fit, solved))
        stages = RunStages(recipe, None, Reporter())
        stages.train(RunFolder.open(folder / "out", recipe, resume=False, force=False))
    return stages, recorded, solved


def keeping(fit, solved):
    def fit_and_keep(self, teacher, train, validation, classes):
        solved.append((type(self).__name__, data.Split(*train), data.Split(*validation)))
        return fit(self, teacher, train, validation, classes)

    return fit_and_keep


def places(images, of):
    """Where images are in a split."""
    apart = cdist(images.reshape(len(images), -1), of.images.reshape(len(of), -1))
    assert (apart.min(axis=1) == 0).all()
    return apart.argmin(axis=1)


def labelled_places(split, whole):
    """Where the labelled images of a split are in the whole one; their labels are the true ones."""
    known = split.labels >= 0
    found = places(split.images[known], whole)
    np.testing.assert_array_equal(split.labels[known], whole.labels[found])
    return sorted(found)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", validation=0.1).only(CLASSES)


def students(recorded):
    return {name: each for name, each in recorded.items() if name != "teacher"}


class TestLabels:
    def test_no_training_has_more_than_were_asked(self, given, digits):
        """Four a class, the same for every student of a seed and for its bridges, others for the other seed."""
        _, recorded, solved = given
        seen = {1: [], 2: []}
        for name, each in students(recorded).items():
            seen[int(name[-1])].append(labelled_places(each.batches.split, digits.train))
        for place, (_, train, _) in enumerate(solved):
            seen[1 + place // 2].append(labelled_places(train, digits.train))
        assert {seed: len(of) for seed, of in seen.items()} == {1: 10, 2: 10}
        for of in seen.values():
            assert all(one == of[0] for one in of)
            np.testing.assert_array_equal(np.bincount(digits.train.labels[of[0]]), [4] * 5)
        assert len(set(seen[1][0]) & set(seen[2][0])) < 10

    def test_those_without_a_label_are_there_for_the_teacher_alone(self, given, digits):
        _, recorded, solved = given
        for name, each in students(recorded).items():
            taught = name[:-2] in TAUGHT
            assert (name[:-2] in LABELLED) != taught
            assert len(each.batches.split) == (len(digits.train) if taught else 20), name
        assert [(kind, len(train)) for kind, train, _ in solved] == [("Probe", 20), ("Transport", 20)] * 2

    @pytest.mark.parametrize("stage", ["soft-1", "aware-1", "hard_labels-2", "bridge-fine_tune-1"])
    def test_batches_have_the_labels_of_the_split(self, stage, given, digits):
        """Of the first epoch, with every sample as often as its turn comes."""
        batches = given[1][stage].batches
        images, labels = (np.concatenate(parts) for parts in zip(*(batches[i] for i in range(3)), strict=True))
        assert len(labels) == {"bridge-fine_tune-1": 600}.get(stage, 300)
        split, found = batches.split, places(images, batches.split)
        np.testing.assert_array_equal(labels, split.labels[found])
        times = np.bincount(found, minlength=len(split))
        assert set(times) <= {len(labels) // len(split), -(-len(labels) // len(split))}

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"fraction": 0.1}, [12] * 5),
            ({"per_class": 2, "seed": 4}, [2] * 5),
            ({}, None),
            ({"fraction": 1.0}, None),
        ],
    )
    def test_a_share_or_a_number_of_each_class(self, asked, expected, given, digits):
        stages, _, _ = given
        recipe = stages.recipe.model_copy(update={"labels": type(stages.recipe.labels)(**asked)})
        trainer = StudentTrainer(recipe, digits, None, None, Reporter())
        first, second = trainer.few_labels(1), trainer.few_labels(2)
        whole = np.bincount(digits.train.labels)
        found = labelled_places(first, digits.train)
        np.testing.assert_array_equal(np.bincount(digits.train.labels[found]), whole if expected is None else expected)
        assert (labelled_places(second, digits.train) == found) == ("fraction" not in asked or expected is None)

    def test_every_training_is_held_against_the_whole_validation_split(self, given, digits):
        _, recorded, solved = given
        held = [each.held_out.split for each in students(recorded).values()]
        for split in [*held, *(validation for _, _, validation in solved)]:
            np.testing.assert_array_equal(split.images, digits.validation.images)
            np.testing.assert_array_equal(split.labels, digits.validation.labels)


def test_a_teacher_has_the_images_of_its_own_section(given):
    _, recorded, _ = given
    own, each = data.load("digits", validation=0.2), recorded["teacher"]
    for split, expected in ((each.batches.split, own.train), (each.held_out.split, own.validation)):
        np.testing.assert_array_equal(split.images, expected.images)
        np.testing.assert_array_equal(split.labels, expected.labels)
    assert (each.batches.seed, each.batches.batch_size, each.batches.num_batches) == (5, 64, len(own.train) // 64)
    assert each.model.output_shape == (None, 10)


# Batches an epoch are those of all 605 training images, however few labels, where the arm does not say.
BUDGET = {
    # stage: epochs, batch size, steps an epoch, peak, share of the warm-up
    "hard_labels": (4, 100, 6, 0.05, 0.25),
    "soft": (4, 100, 5, 0.05, 0.0),
    "inner": (4, 50, 12, 0.001, 0.25),
    "labelled_alone": (4, 100, 6, 0.05, 0.25),
    "mixed": (4, 100, 6, 0.05, 0.25),
    "aware": (2, 100, 6, 0.01, 0.25),
    "bridged": (4, 100, 6, 0.05, 0.25),
    "bridge-fine_tune": (5, 200, 3, 0.02, 0.1),
    "teacher": (3, 64, 16, 0.2, 0.1),
}


@pytest.mark.parametrize("stage", BUDGET)
def test_budget_and_learning_rate_at_every_step(stage, given):
    """A line up and half a cosine down to zero, over the steps that are trained."""
    epochs, batch_size, steps, peak, share = BUDGET[stage]
    each = given[1][stage if stage == "teacher" else f"{stage}-1"]
    batches = each.batches
    assert (each.options["epochs"], batches.batch_size, batches.num_batches) == (epochs, batch_size, steps)
    found = [each.at(step).rate for step in range(each.steps + 1)]
    np.testing.assert_allclose(found, curve(peak, int(share * each.steps), each.steps), rtol=1e-4, atol=1e-8)


def temperature(given, name):
    """Of an objective, or of the one inside of it."""
    objective = given.model.objectives[name]
    return float(keras.ops.convert_to_numpy(getattr(objective, "objective", objective)._temperature.now()))


def test_ramps_go_by_epochs_of_their_own_arm(given):
    soft, inner = given[1]["soft-1"], given[1]["inner-1"]
    step = np.arange(25)
    found = np.array([[soft.at(k).weight("labels"), soft.weight("soft"), temperature(soft, "soft")] for k in step])
    expected = [
        np.interp(step, [0, 5], [1, 0.25]),
        np.interp(step, [0, 15], [0, 0.75]),
        np.interp(step, [0, 10], [8, 2]),
    ]
    np.testing.assert_allclose(found, np.stack(expected, -1), rtol=1e-5, atol=1e-7)
    step = np.arange(49)
    found = [temperature(inner.at(k), "soft") for k in step]
    np.testing.assert_allclose(found, np.interp(step, [0, 36], [5, 1]), rtol=1e-5)


def test_a_training_in_float16_alone_scales_its_loss(given):
    scaled = [name for name, each in given[1].items() if hasattr(each.model.optimizer, "inner_optimizer")]
    assert scaled == ["mixed-1", "mixed-2"]


def optimizer_of(given):
    """Its kind, momentum or beta 1, decay and, of DOT, delta."""
    made = given.model.optimizer.get_config()
    numbers = (made.get(name) for name in ("momentum", "beta_1", "weight_decay", "delta"))
    return type(given.model.optimizer).__name__, *(number for number in numbers if number is not None)


def test_optimizers_are_those_of_the_arms(given):
    _, recorded, _ = given
    asked = {"hard_labels": ("SGD", 0.9, 0.005), "inner": ("AdamW", 0.8, 0.1)}
    asked["labelled_alone"] = ("DOT", 0.8, 0.005, 0.05)
    for name, expected in asked.items():
        kind, *numbers = optimizer_of(recorded[f"{name}-2"])
        assert (kind, numbers) == (expected[0], pytest.approx(expected[1:], rel=1e-6)), name


def test_views_are_those_of_the_arm_and_the_seed(given):
    _, recorded, _ = given
    for name, each in students(recorded).items():
        batches, plain = each.batches, name[:-2] not in ("labelled_alone", "mixed")
        assert (batches.seed, batches.views) == (int(name[-1]),) * 2
        assert (batches.augmentation, batches.mixing) == (data.Augmentation(), None) or not plain
        assert each.options["shuffle"] is False
        assert batches.ids == (name[:-2] == "inner")
    viewed, mixed = recorded["labelled_alone-1"].batches, recorded["mixed-1"].batches
    assert (viewed.augmentation, viewed.mixing) == (data.Augmentation(1, flip=True), None)
    assert isinstance(mixed.mixing, data.CutMix)
    assert (mixed.augmentation, mixed.mixing.alpha) == (data.Augmentation(), 0.5)


def test_labels_of_mixed_images_are_smoothed_and_held_against_rows(given):
    """Shares of five classes, of which a fifth is spread over all: 0.84 and four times 0.04 for one class alone."""
    each = given[1]["mixed-1"]
    _, rows = each.held_out[0]
    np.testing.assert_array_equal(rows, np.eye(5)[each.held_out.split.labels[: len(rows)]])
    shares = np.array([[0, 1, 0, 0, 0], [0.5, 0, 0, 0.5, 0]])
    z = np.array([[1.0, 2.0, 0.5, -1.0, 0.0], [0.0, 1.0, -2.0, 0.5, 3.0]])
    expected = -((0.8 * shares + 0.04) * (z - np.log(np.exp(z).sum(-1, keepdims=True)))).sum(-1).mean()
    assert float(each.model.loss(shares, z)) == pytest.approx(expected, rel=1e-5)
    assert each.model.get_layer("stage1").compute_dtype == "float16"


def test_students_of_a_seed_begin_alike(given):
    """Whatever was made before; and one that goes on with another's student begins with that of its own seed."""
    _, recorded, _ = given

    def kernel(name):
        return student(recorded[name].model).get_layer("logits").get_weights()[0]

    for seed in (1, 2):
        for name in ("soft", "inner", "labelled_alone", "bridged"):
            np.testing.assert_array_equal(kernel(f"{name}-{seed}"), kernel(f"hard_labels-{seed}"))
        before, after = (student(recorded[f"{name}-{seed}"].model).get_weights() for name in ("soft", "aware"))
        assert all(any(part.shape == one.shape and np.allclose(part, one) for one in after) for part in before)
    assert not np.allclose(kernel("soft-1"), kernel("soft-2"))


def student(model):
    return getattr(model, "student", model)


def test_ranges_are_held_for_the_last_part_of_a_quantization_aware_training(given):
    """From the tenth of the twelve steps on; and of no other training."""
    held = {
        name: [callback._from_step for callback in each.options["callbacks"] if hasattr(callback, "_from_step")]
        for name, each in given[1].items()
    }
    assert {name: steps for name, steps in held.items() if steps} == {"aware-1": [9], "aware-2": [9]}
