"""The diagnosis of a teacher: its numbers against hand-made cases and references written from the papers."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from distiller import data, models, teachers
from distiller.cli import entry
from distiller.errors import InputError
from distiller.report import diagnosis as figure
from distiller.teachers.diagnosis import gap, soft_targets, words
from distiller.teachers.diagnosis.calibration import best_temperature, calibrate
from distiller.teachers.diagnosis.concerns import concerns
from distiller.teachers.diagnosis.mutual_information import Information, between_pairs, choose, mutual_information
from distiller.teachers.diagnosis.smoothing import marks, score


def random_logits(samples, classes, seed=0, scale=3.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    return generator.normal(size=(samples, classes), scale=scale) + 4 * np.eye(classes)[labels], labels


class TestMutualInformation:
    @pytest.mark.parametrize("examples", [2, 7, 100])
    def test_examples_that_views_do_not_mix_give_the_logarithm_of_their_number(self, examples):
        views = np.random.default_rng(0).normal(size=(examples, 20))
        apart = 1000.0 * np.arange(examples)[:, None] + views
        assert mutual_information(apart) == pytest.approx(math.log(examples))

    def test_collapsed_classes_tell_the_class_alone(self):
        views = np.random.default_rng(0).normal(size=20)
        clusters = np.where(np.arange(60) < 30, 500.0, -500.0)[:, None] + views
        assert mutual_information(clusters) == pytest.approx(math.log(2))
        uneven = np.where(np.arange(60) < 15, 500.0, -500.0)[:, None] + views
        assert mutual_information(uneven) == pytest.approx(math.log(4) / 4 + 3 * math.log(4 / 3) / 4)

    def test_examples_with_the_same_views_tell_nothing(self):
        same = np.tile(np.random.default_rng(0).normal(size=20), (50, 1))
        assert mutual_information(same) == pytest.approx(0, abs=1e-12)
        assert mutual_information(np.zeros((5, 3))) == 0
        assert mutual_information(np.full((5, 3), 1e20)) == pytest.approx(0, abs=1e-12)

    def test_views_that_change_nothing(self):
        assert mutual_information(np.array([[1.0] * 3, [1.0] * 3, [2.0] * 3, [3.0] * 3])) == pytest.approx(
            (2 * math.log(2) + 2 * math.log(4)) / 4
        )

    @pytest.mark.parametrize(("examples", "draws", "spread"), [(2, 2, 1.0), (30, 10, 0.5), (40, 5, 20.0)])
    def test_against_the_formula(self, examples, draws, spread):
        generator = np.random.default_rng(examples)
        f = (generator.normal(size=(examples, 1)) * spread + generator.normal(size=(examples, draws))).astype("float64")
        mu = [sum(row) / draws for row in f]
        variance = sum((f[x, v] - mu[x]) ** 2 for x in range(examples) for v in range(draws)) / (examples * draws)
        total = 0.0
        for x in range(examples):
            for v in range(draws):
                mixture = sum(math.exp(-((f[x, v] - m) ** 2) / (2 * variance)) for m in mu) / examples
                total += -((f[x, v] - mu[x]) ** 2) / (2 * variance) - math.log(mixture)
        assert mutual_information(f) == pytest.approx(total / (examples * draws), rel=1e-10)

    def test_of_a_gaussian_channel(self):
        """Gaussian signal of deviation 3 in Gaussian noise of 1: 0.5 log(1 + 9) nats, Cover & Thomas, chapter 9."""
        generator = np.random.default_rng(0)
        f = generator.normal(scale=3, size=(300, 1)) + generator.normal(size=(300, 50))
        assert mutual_information(f) == pytest.approx(0.5 * math.log(10), abs=0.05)

    @pytest.mark.parametrize("shape", [(1, 5), (5, 1), (4,), (2, 2, 2)])
    def test_too_little(self, shape):
        with pytest.raises(InputError, match="with two or more of each"):
            mutual_information(np.zeros(shape))

    def test_the_choice_of_samples(self):
        labels = np.array([3, 1, -1, 3, 1, 3, 0, 3])
        np.testing.assert_array_equal(choose(labels, classes=9, examples=4, seed=0), [6, 1, 4, 0, 3])
        some = choose(np.repeat(np.arange(30), 5), classes=10, examples=6, seed=1)
        assert len(some) == 30
        assert len(np.unique(some // 5)) == 10

    def test_mean_over_pairs_of_equal_parts(self):
        """Classes 0 and 1 are apart from each other and from the single sample of class 2, but alike within."""
        labels = np.array([0, 0, 0, 1, 1, 2])
        logits = (
            np.zeros((4, 6, 3))
            + 1000.0 * np.eye(3)[labels]
            + np.array([1.0, -1.0, 1.0, -1.0])[:, None, None]
            * [
                1,
                2,
                3,
            ]
        )
        found = between_pairs(logits, labels)
        assert [(pair.classes, pair.examples) for pair in found.pairs] == [((0, 1), 4), ((0, 2), 2), ((1, 2), 2)]
        np.testing.assert_allclose([pair.nats for pair in found.pairs], math.log(2))
        assert found.nats == pytest.approx(math.log(2))
        assert found.share == pytest.approx((0.5 + 1 + 1) / 3)
        assert found.draws == 4


class TestCalibration:
    def test_error_by_hand(self):
        """Bins of 1/15: three samples at 0.9 (two right), two at 0.62 (one right), one at 0.5 (wrong).

        3/6 · |2/3 − 0.9| + 2/6 · |1/2 − 0.62| + 1/6 · |0 − 0.5| = 0.24.
        """
        confidence = np.array([0.9, 0.9, 0.9, 0.62, 0.62, 0.5])
        logits = np.log(np.stack([confidence, 1 - confidence], axis=1))
        found = calibrate(logits, np.array([0, 0, 1, 0, 1, 1]))
        assert found.error == pytest.approx(0.24)
        assert found.confidence == pytest.approx(confidence.mean())
        assert [(b.samples, b.accuracy) for b in found.bins] == [
            (1, 0),
            (2, 0.5),
            (3, pytest.approx(2 / 3)),
        ]
        assert (found.bins[0].low, found.bins[0].high) == pytest.approx((7 / 15, 8 / 15))
        assert found.nll == pytest.approx(-np.mean(np.log([0.9, 0.9, 0.1, 0.62, 0.38, 0.5])))

    @pytest.mark.parametrize("bins", [1, 15, 40])
    def test_error_against_a_loop(self, bins):
        logits, labels = random_logits(500, 6)
        p = np.exp(log_softmax(logits, axis=1))
        total = 0.0
        for b in range(bins):
            inside = [i for i in range(500) if b / bins < p[i].max() <= (b + 1) / bins]
            if inside:
                right = sum(p[i].argmax() == labels[i] for i in inside) / len(inside)
                total += len(inside) / 500 * abs(right - sum(p[i].max() for i in inside) / len(inside))
        assert calibrate(logits, labels, bins).error == pytest.approx(total)

    def test_logits_that_are_certain(self):
        found = calibrate(np.array([[500.0, -500.0], [-500.0, 500.0], [500.0, -500.0]]), np.array([0, 1, 1]))
        assert found.error == pytest.approx(1 / 3)
        assert found.bins[-1].samples == 3

    @pytest.mark.parametrize("factor", [0.05, 1.0, 3.0, 200.0])
    def test_temperature_of_logits_times_a_factor(self, factor):
        """Labels exactly as often as the probabilities say: the best temperature undoes the factor."""
        p = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
        labels = np.concatenate([np.repeat([0, 1, 2], [7, 2, 1]), np.repeat([0, 1, 2], [1, 5, 4])])
        logits = factor * np.log(np.repeat(p, 10, axis=0))
        assert best_temperature(logits, labels) == pytest.approx(factor, rel=1e-6)

    def test_temperature_against_scipy(self):
        logits, labels = random_logits(300, 8, scale=6.0)

        def loss(log_temperature):
            return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(300), labels].mean()

        reference = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        found = calibrate(logits, labels)
        assert found.temperature == pytest.approx(np.exp(reference.x), rel=1e-5)
        assert found.nll_at_temperature == pytest.approx(reference.fun, rel=1e-9)
        assert found.nll_at_temperature < found.nll

    def test_no_temperature_where_all_is_right_or_nothing_known(self):
        logits, _ = random_logits(50, 4)
        assert best_temperature(logits, logits.argmax(axis=1)) is None
        assert best_temperature(logits, logits.argmin(axis=1)) is None
        assert best_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) is None
        assert calibrate(logits, logits.argmax(axis=1)).nll_at_temperature is None


class TestSmoothing:
    @pytest.mark.parametrize("classes", [3, 10, 100])
    @pytest.mark.parametrize("strength", [0.05, 0.1, 0.3])
    def test_targets_met_exactly(self, classes, strength):
        labels = np.arange(300) % classes
        targets = (1 - strength) * np.eye(classes)[labels] + strength / classes
        found = score(np.log(targets) + 5.0, labels)
        assert found.verdict == "likely"
        assert found.strength == pytest.approx(strength)
        assert found.evenness == pytest.approx(1)
        assert found.ceiling == pytest.approx(
            math.log((1 - strength + strength / classes) / (strength * (1 - 1 / classes)))
        )

    def test_marks_against_scipy(self):
        logits, labels = random_logits(40, 7)
        odds, evenness = marks(logits, labels)
        for row, label, odd, even in zip(logits, labels, odds, evenness, strict=True):
            p = np.exp(log_softmax(row))
            wrong = np.delete(p, label) / (1 - p[label])
            assert odd == pytest.approx(math.log(p[label] / (1 - p[label])))
            assert even == pytest.approx(math.exp(-np.sum(wrong * np.log(wrong))) / 6)

    def test_certain_logits_are_finite(self):
        odds, evenness = marks(1000.0 * np.eye(3), np.arange(3))
        np.testing.assert_allclose(odds, 1000 - math.log(2))
        np.testing.assert_allclose(evenness, 1)

    def test_hard_labels(self):
        labels = np.arange(200) % 10
        logits = 12 * np.eye(10)[labels] + np.random.default_rng(0).normal(scale=2, size=(200, 10))
        found = score(logits, labels)
        assert (found.verdict, found.strength) == ("not", None)

    def test_low_odds_with_uneven_rest_say_nothing(self):
        labels = np.arange(200) % 10
        logits = 4 * np.eye(10)[labels] + np.random.default_rng(0).normal(scale=1.5, size=(200, 10))
        assert score(logits, labels).verdict == "cannot tell"

    def test_too_little_to_tell(self):
        logits, labels = random_logits(40, 5)
        assert "right answers are too few" in score(logits, labels).reason
        logits, labels = random_logits(200, 2)
        found = score(logits, labels)
        assert found.verdict == "cannot tell"
        assert "one wrong class alone" in found.reason


class TestSoftTargets:
    def test_entropy_against_scipy(self):
        logits, _ = random_logits(60, 5)
        for temperature in (1.0, 4.0):
            log_p = log_softmax(logits / temperature, axis=1)
            expected = -(np.exp(log_p) * log_p).sum(axis=1).mean() / math.log(5)
            assert soft_targets.entropy(logits, temperature) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("scale", "smoothed", "temperature", "reason"),
        [
            (10.0, "not", 4.0, "the usual one; the targets there have"),
            (10.0, "cannot tell", 4.0, "the usual one"),
            (10.0, "likely", 1.0, "label smoothing"),
            (36.0, "not", 8.0, "nearly one-hot"),
            (2.0, "not", 1.0, "nearly uniform"),
            (1e4, "not", 4.0, "one-hot at every temperature"),
            (1e-3, "not", 4.0, "uniform at every temperature"),
        ],
    )
    def test_suggestion(self, scale, smoothed, temperature, reason):
        logits = scale * np.stack([np.eye(10)[0], np.eye(10)[1]])
        found = soft_targets.describe(logits, smoothed)
        assert found.suggested_temperature == temperature
        assert reason in found.reason


class TestGap:
    def test_costs_and_assistant(self):
        large, small = linear_teacher(20), linear_teacher(5)
        found = gap.compare(large, 0.9, small, 0.8, classes=10, samples=500)
        assert found.teacher.parameters == large.count_params()
        assert found.student.multiply_adds == models.multiply_adds(small)
        assert found.student.accuracy == 0.8
        assert found.assistant_parameters == round(math.sqrt(large.count_params() * small.count_params()))

    def test_near_and_untrained(self):
        network = linear_teacher()
        found = gap.compare(network, 0.9, network, 0.12, classes=10, samples=500)
        assert found.assistant_parameters is None
        assert found.student.accuracy is None


def made_concerns(accuracy=0.9, smoothed="not", error=0.01, confidence=0.9, between=None, nats=1.2):
    calibration = dataclasses.replace(
        calibrate(*random_logits(100, 10)), error=error, confidence=confidence, temperature=2.0
    )
    mark = dataclasses.replace(score(*random_logits(100, 10)), verdict=smoothed)
    return concerns(accuracy, 10, 1000, Information(nats, 0.3, 20, ()), mark, calibration, between)


def made_gap(student_accuracy, parameters=500):
    return gap.Gap(
        gap.Capacity(1000, 1, 0.9), gap.Capacity(parameters, 1, student_accuracy), gap.assistant(1000, parameters)
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"accuracy": 0.11}, "no more than guessing"),
        ({"smoothed": "likely"}, "distil at temperature 1"),
        (
            {"error": 0.2, "confidence": 0.95},
            "overconfident: its mean confidence is 95.0%, its accuracy 90.0%; temperature 2.00",
        ),
        ({"error": 0.2, "confidence": 0.7}, "underconfident"),
        ({"nats": 0.6}, "0.60 nats of mutual information"),
        ({"between": made_gap(0.9)}, "The student is as good"),
        ({"between": made_gap(None, parameters=10)}, "100 times the student's parameters"),
    ],
)
def test_each_concern_alone(options, sentence):
    (found,) = made_concerns(**options)
    assert sentence in found


def test_no_concern():
    assert made_concerns(between=made_gap(0.8)) == ()


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

    def test_json(self, found):
        content = json.loads(found[0.1].to_json())
        assert content["smoothing"]["verdict"] == "likely"
        assert content["views"] == {"crop": 1, "flip": False}
        assert content["mutual_information"]["pairs"][0]["classes"] == [0, 1]
        assert [one["temperature"] for one in content["soft_targets"]["entropies"]] == [1, 2, 4, 8, 16]

    def test_figures(self, found, tmp_path):
        pictures = figure.draw(found[0.0], tmp_path / "new")
        assert [picture.file.name for picture in pictures] == ["reliability.png", "soft_targets.png"]
        assert all(picture.file.read_bytes().startswith(b"\x89PNG") for picture in pictures)
        assert f"accuracy {100 * found[0.0].accuracy:.1f} %" in pictures[0].alt


def linear_teacher(classes=3, kernel=None):
    """Logits = pixels @ kernel on images (1, classes, 1): what each image answers is known."""
    teacher = keras.Sequential(
        [keras.Input((1, classes, 1)), keras.layers.Flatten(), keras.layers.Dense(classes, use_bias=False)],
        name="linear",
    )
    teacher.layers[-1].set_weights([np.eye(classes, dtype="float32") if kernel is None else kernel])
    return teacher


def pixels(logits):
    return np.asarray(logits, "float32")[:, None, :, None]


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
        found = teachers.diagnose(linear_teacher(), (pixels(np.eye(3)[answers]), labels), classes=["ant", "bee", "cat"])
        assert [(c.name, c.accuracy, c.samples, c.mistaken_for) for c in found.by_class] == [
            ("bee", 0.5, 4, "cat"),
            ("cat", 0.5, 2, "ant"),
            ("ant", 1.0, 2, None),
        ]

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
        said = {what: (value, meaning) for what, value, meaning in words.rows(found)}
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
        said = {what: meaning for what, _, meaning in words.rows(perfect)}
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


@pytest.fixture
def command(monkeypatch, capfd):
    """Run the command line; returns its exit code, its output and its errors."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["distiller", "diagnose", *map(str, arguments)])
        try:
            entry.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, *capfd.readouterr()

    return call


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    models.build("wide", 10, (8, 8, 1), widths=(8,), stem=4).save(path)
    return path


class TestCommand:
    def test_words_files_and_json(self, command, file, tmp_path):
        options = ("--data", "digits", "--samples", 4, "--draws", 2, "--student", file)
        code, printed, _ = command(file, *options, "--out", tmp_path / "out")
        assert code == 0
        assert "validation images of digits" in printed
        assert "What speaks against it:" in printed
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert names == {"diagnosis.json", "reliability.png", "soft_targets.png"}
        code, printed, _ = command(file, *options, "--json", "--split", "test", "--held-out", "0.2")
        content = json.loads(printed)
        assert (code, content["samples"], content["classes"]) == (0, 450, 10)
        assert content["gap"]["student"]["parameters"] == content["gap"]["teacher"]["parameters"]

    def test_what_is_wrong_is_one_line(self, command, file, tmp_path):
        code, _, errors = command("wide_cifar10", "--data", "digits")
        assert code == 2
        assert "Did you mean 'wide_cifar100'?" in errors
        code, _, errors = command(tmp_path / "no.keras", "--data", "digits")
        assert (code, errors.count("\n")) == (2, 1)
        assert "does not exist" in errors
        code, _, errors = command(file, "--data", "digits", "--out", file)
        assert (code, errors.count("\n")) == (2, 1)
        assert "Expected a folder for --out" in errors
        code, _, errors = command("wide_cifar100", "--data", "digits")
        assert (code, errors.count("\n")) == (2, 1)
        assert "'wide_cifar100' was trained on: cifar100, of 100 classes. Received: digits, of 10" in errors
        code, _, errors = command(file, "--data", "digits", "--classes", "3,5")
        assert (code, errors.count("\n")) == (2, 1)
        assert "names of the teacher's 10 classes. Received: 2 names" in errors

    def test_help_has_an_example(self, command):
        code, printed, _ = command("--help")
        assert code == 0
        assert "distiller diagnose wide_cifar100 --data cifar100" in printed
