"""The diagnosis of a teacher as a whole: trained ones, made ones, and what is refused."""

import json
import math

import keras
import numpy as np
import pytest
from support.diagnosed import linear_teacher, pixels, random_logits

from distiller import data, models, teachers
from distiller.errors import InputError
from distiller.report import diagnosis as figure
from distiller.teachers.diagnosis import wording
from distiller.teachers.diagnosis.calibration import best_temperature
from distiller.teachers.diagnosis.mutual_information import between_pairs, choose


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", validation=0.3)


@pytest.fixture(scope="module")
def found(digits):
    """Diagnoses of the same small teacher, trained without (0.0) and with (0.1) label smoothing."""
    return {strength: teachers.diagnose(taught(digits, strength), digits.validation) for strength in (0.0, 0.1)}


def taught(digits, strength, seed=0, passes=50, batch_size=128):
    keras.utils.set_random_seed(seed)
    network = models.build("wide", 10, digits.image_shape, widths=(16, 32), stem=8)
    views, train = data.Augmentation(crop=1), digits.train
    images = [views(train.images, views.draws(seed, turn, len(train))) for turn in range(passes)]
    labels = np.tile(np.eye(10, dtype="float32")[train.labels], (passes, 1))
    rate = keras.optimizers.schedules.CosineDecay(0.15, len(labels) // batch_size)
    network.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=0.02),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=strength),
    )
    network.fit(np.concatenate(images).astype("float32"), labels, batch_size=batch_size, verbose=0)
    return network


class TestTrainedTeachers:
    def test_verdicts_differ(self, found):
        assert found[0.0].smoothing.verdict == "not"
        assert found[0.1].smoothing.verdict == "likely"
        assert found[0.0].smoothing.strength is None
        assert found[0.1].smoothing.strength == pytest.approx(0.1, abs=0.03)

    def test_label_smoothing_costs_mutual_information(self, found):
        plain, smoothed = (found[strength].mutual_information for strength in (0.0, 0.1))
        assert smoothed.nats < plain.nats - 0.01
        assert len(plain.pairs) == 45
        assert all(0 < pair.nats < math.log(pair.examples) for pair in (*plain.pairs, *smoothed.pairs))

    def test_low_temperature_for_the_smoothed_one(self, found):
        assert found[0.0].soft_targets.suggested_temperature == 4
        assert found[0.1].soft_targets.suggested_temperature == 1

    def test_both_are_good_and_the_smoothed_one_is_underconfident(self, found):
        assert min(one.accuracy for one in found.values()) > 0.95
        assert found[0.1].calibration.temperature < 1
        assert any("underconfident" in sentence for sentence in found[0.1].concerns)
        assert not [sentence for one in found.values() for sentence in one.concerns if "guessing" in sentence]

    def test_json(self, found):
        content = json.loads(found[0.1].to_json())
        assert content["smoothing"]["verdict"] == "likely"
        assert content["views"] == {"crop": 1, "flip": False, "layers": None}
        assert content["mutual_information"]["pairs"][0]["classes"] == [0, 1]
        assert [one["temperature"] for one in content["soft_targets"]["entropies"]] == [1, 2, 4, 8, 16]

    def test_figures(self, found, tmp_path):
        pictures = figure.draw(found[0.0], tmp_path / "new")
        assert [picture.file.name for picture in pictures] == ["reliability.png", "soft_targets.png"]
        assert all(picture.file.read_bytes().startswith(b"\x89PNG") for picture in pictures)
        assert f"accuracy {100 * found[0.0].accuracy:.1f} %" in pictures[0].alt


class TestDiagnose:
    def test_unlabelled_samples_count_for_the_entropy_alone(self):
        logits, labels = random_logits(60, 3)
        uniform = np.zeros((20, 3))
        everything = (pixels([*logits, *uniform]), np.array([*labels, *[-1] * 20]))
        some = teachers.diagnose(linear_teacher(), (pixels(logits), labels))
        all_ = teachers.diagnose(linear_teacher(), everything)
        assert (all_.samples, all_.labelled, some.samples) == (80, 60, 60)
        for name in ("accuracy", "calibration", "smoothing", "by_class", "mutual_information"):
            assert getattr(all_, name) == getattr(some, name)
        shares = [one.soft_targets.entropies[0].share for one in (some, all_)]
        assert shares[1] == pytest.approx((60 * shares[0] + 20) / 80)

    def test_weakest_classes_by_their_names(self):
        answers = np.array([0, 0, 1, 2, 2, 2, 0, 1])
        labels = np.array([0, 0, 1, 1, 1, 2, 2, 1])
        found = teachers.diagnose(
            linear_teacher(), (pixels(4 * np.eye(3)[answers]), labels), classes=["ant", "bee", "cat"]
        )
        assert [(c.name, c.accuracy, c.samples, c.mistaken_for) for c in found.by_class] == [
            ("bee", 0.5, 4, "cat"),
            ("cat", 0.5, 2, "ant"),
            ("ant", 1.0, 2, None),
        ]

    def test_a_teacher_that_says_one_class_of_uneven_images(self):
        """Right for 95 % of them without a look at any, more or less surely, and never for the others."""
        labels = (np.arange(1000) % 20 == 0).astype(int)
        sureness = np.random.default_rng(0).uniform(1, 9, 1000)
        logits = np.stack([sureness, -sureness], 1)
        found = teachers.diagnose(linear_teacher(2), (pixels(logits), labels), student=linear_teacher(2))
        assert found.accuracy == 0.95
        assert "no more than guessing (one answer to all of them: 95.0%)" in found.concerns[0]
        assert "hardly ever knows 1 (0.0% of 50)" in found.concerns[1]
        assert found.gap.student.accuracy is None
        logits[labels == 1] *= -1
        right = teachers.diagnose(linear_teacher(2), (pixels(logits), labels))
        assert not [sentence for sentence in right.concerns if "guessing" in sentence]

    def test_a_student_beside_it(self):
        logits, labels = random_logits(200, 3)
        swapped = linear_teacher(kernel=np.eye(3, dtype="float32")[[1, 0, 2]])
        images = (pixels(logits), labels)
        found = teachers.diagnose(linear_teacher(), images, student=linear_teacher())
        assert found.gap.student.accuracy == found.accuracy
        assert teachers.diagnose(linear_teacher(), images, student=swapped).gap.student.accuracy is None
        other = teachers.diagnose(linear_teacher(), images, student=linear_teacher(4))
        assert other.gap.student.accuracy is None
        assert other.gap.student.parameters > other.gap.teacher.parameters == 9

    def test_subclassed_networks(self):
        class Scaled(keras.Model):
            def __init__(self, factor):
                super().__init__()
                self.flat, self.scale = keras.layers.Flatten(), keras.layers.Rescaling(factor)
                self.dense = keras.layers.Dense(3, kernel_initializer="identity")

            def call(self, inputs):
                return self.dense(self.scale(self.flat(inputs)))

        logits, labels = random_logits(100, 3)
        teacher, student = Scaled(2.0), Scaled(1.0)
        for network in (teacher, student):
            network(pixels(logits))
        found = teachers.diagnose(teacher, (pixels(logits), labels), student=student)
        assert found.accuracy == found.gap.student.accuracy == np.mean(logits.argmax(axis=1) == labels)
        assert found.calibration.temperature == pytest.approx(2 * best_temperature(logits, labels), rel=1e-4)
        assert (found.gap.teacher.parameters, found.gap.teacher.multiply_adds) == (12, None)

    def test_mutual_information_is_of_the_views_that_were_asked_for(self):
        logits, labels = random_logits(40, 3)
        images, views = pixels(logits), data.Augmentation(flip=True)
        found = teachers.diagnose(linear_teacher(), (images, labels), augmentation=views, examples=8, draws=5, seed=3)
        places = choose(labels, 10, 8, 3)
        seen = [views(images[places], views.draws(3, turn, len(places)))[:, 0, :, 0] for turn in range(5)]
        expected = between_pairs(np.stack(seen), labels[places])
        assert found.mutual_information.nats == pytest.approx(expected.nats, rel=1e-5)

    def test_progress_ends_at_all(self):
        logits, labels = random_logits(300, 3)
        calls = []
        teachers.diagnose(
            linear_teacher(),
            (pixels(logits), labels),
            student=linear_teacher(),
            examples=4,
            draws=3,
            progress=lambda done, total: calls.append((done, total)),
        )
        assert calls[-1] == (2 * 300 + 3 * 6, 2 * 300 + 3 * 6)
        assert [done for done, _ in calls] == sorted(done for done, _ in calls)

    def test_words_for_every_aspect(self):
        logits, labels = random_logits(100, 3)
        found = teachers.diagnose(linear_teacher(), (pixels(logits), labels), student=linear_teacher())
        said = {what: (value, meaning) for what, value, meaning in wording.rows(found)}
        assert said["accuracy"] == (f"{found.accuracy:.2%}", "of 100 labelled images, 3 classes")
        assert said["trained with label smoothing"][0] == found.smoothing.verdict
        assert said["capacity gap"][0] == "1.0 times"
        assert said["student"][1] == f"accuracy {found.accuracy:.2%}"
        assert "at temperature" in said["negative log-likelihood"][1]
        weakest = found.by_class[0]
        assert said["weakest classes"] == (
            f"{weakest.accuracy:.1%}",
            f"{weakest.name}; most often taken for {weakest.mistaken_for} ({weakest.samples} images)",
        )
        perfect = teachers.diagnose(linear_teacher(), (pixels(logits), logits.argmax(axis=1)))
        said = {what: meaning for what, _, meaning in wording.rows(perfect)}
        assert "no temperature" in said["negative log-likelihood"]
        assert said["weakest classes"] == "every answer is right"


LOGITS, LABELS = random_logits(12, 3)


BROKEN = LOGITS.copy()


BROKEN[4, 1] = np.nan


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((pixels(BROKEN), LABELS), {}, "finite logits of the teacher.*12 images, first for image 4"),
        ((pixels(LOGITS[:1]), LABELS[:1]), {}, "two samples or more. Received: 1"),
        ((pixels(LOGITS), np.zeros(12, int)), {}, "two classes or more. Received: 12 labelled samples"),
        ((pixels(LOGITS), np.full(12, -1)), {}, "two classes or more. Received: 0 labelled samples"),
        ((pixels(LOGITS), LABELS + 1), {}, "labels from −1 to 2. Received: 3"),
        ((pixels(LOGITS), LABELS - 2), {}, "labels from −1 to 2. Received: -2"),
        ((pixels(LOGITS), LABELS[:5]), {}, r"as many labels. Received: images \(12, 1, 3, 1\), labels \(5,\)"),
        ((pixels(LOGITS), np.eye(3)[LABELS]), {}, r"integer labels \(n,\). Received: float64 of shape \(12, 3\)"),
        ((LOGITS, LABELS), {}, r"images of shape \(n, height, width, channels\)"),
        ((pixels(LOGITS)[:, :, :2], LABELS), {}, r"images \('n', 1, 3, 1\) for the teacher. Received: \(12, 1, 2, 1\)"),
        (pixels(LOGITS), {}, r"a pair \(images, labels\). Received: ndarray"),
        ((pixels(LOGITS), LABELS), {"classes": ["ant", "bee"]}, "names of the teacher's 3 classes. Received: 2"),
        ((pixels(LOGITS), LABELS), {"draws": 1}, "2 or more examples and draws. Received: examples=60, draws=1"),
        ((pixels(LOGITS), LABELS), {"examples": 1}, "Received: examples=1"),
        ((pixels(LOGITS), LABELS), {"augmentation": data.Augmentation()}, "an augmentation that changes images"),
    ],
)
def test_what_is_refused(given, options, message):
    with pytest.raises(InputError, match=message):
        teachers.diagnose(linear_teacher(), given, **options)


def test_teachers_that_are_refused():
    images = (pixels(LOGITS), LABELS)
    inputs = keras.Input((1, 3, 1))
    flat = keras.layers.Flatten()(inputs)
    with pytest.raises(InputError, match="a student with parameters"):
        teachers.diagnose(linear_teacher(), images, student=keras.Model(inputs, flat))
    with pytest.raises(InputError, match="is a softmax"):
        teachers.diagnose(keras.Model(inputs, keras.layers.Softmax()(flat)), images)
    with pytest.raises(InputError, match=r"one output of shape \(batch, classes\)"):
        teachers.diagnose(keras.Model(inputs, keras.layers.Identity()(inputs)), images)
    with pytest.raises(InputError, match=r"one output of shape \(batch, classes\)"):
        teachers.diagnose(keras.Model(inputs, [flat, keras.layers.Dense(3)(flat)]), images)
    with pytest.raises(InputError, match=r"a teacher of two classes or more\. Received: 1"):
        teachers.diagnose(keras.Model(inputs, keras.layers.Dense(1)(flat)), images)
    other = keras.Input((1, 3, 1))
    both = keras.layers.Flatten()(keras.layers.Add()([inputs, other]))
    with pytest.raises(InputError, match=r"one input\. Received: 2"):
        teachers.diagnose(keras.Model([inputs, other], both), images)
