"""Several teachers as one: the arithmetic of their mean, the network, its weights and its messages."""

import keras
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from distiller import Distiller, bridges, data, objectives, teachers
from distiller.data import Split
from distiller.errors import InputError
from distiller.networks.feature_extraction import tap
from distiller.teachers.ensembles.learned_weights import most_likely
from distiller.teachers.ensembles.pool import Pool, confident, pooled

CLASSES = 3


def network(classes=CLASSES, size=6, channels=1, seed=1, width=5):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((size, size, channels))
    x = keras.layers.Conv2D(width, 3, activation="relu", name="stage1")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="teacher")


def images(n=12, size=6, channels=1, classes=CLASSES):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, size, size, channels)).astype("float32"), np.arange(n, dtype="int32") % classes


def answer(model, x):
    return np.asarray(keras.ops.convert_to_numpy(model(x)), "float64")


def random_logits(scale=3.0, members=3, n=7):
    return np.random.default_rng(0).normal(size=(members, n, CLASSES)).astype("float32") * scale


class TestMean:
    @pytest.mark.parametrize("scale", [1, 60])
    def test_arithmetic_is_the_logarithm_of_the_mixture(self, scale):
        z, w = random_logits(scale), np.array([0.5, 0.2, 0.3])
        expected = logsumexp(log_softmax(z.astype("float64"), -1) + np.log(w)[:, None, None], axis=0)
        found = np.asarray(keras.ops.convert_to_numpy(pooled(list(z), w)))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.exp(found.astype("float64")).sum(-1), 1, rtol=1e-5)

    def test_geometric_is_the_softmax_of_the_mean_of_the_logits(self):
        z, w = random_logits(), np.array([0.5, 0.2, 0.3])
        expected = log_softmax((w[:, None, None] * z.astype("float64")).sum(0), -1)
        found = keras.ops.convert_to_numpy(pooled(list(z), w, "geometric"))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
    @pytest.mark.parametrize("ruled_out", [[0], [0, 1]], ids=["by one", "by both"])
    def test_a_class_that_members_rule_out(self, mean, ruled_out):
        """By a logit of −inf: 0 · −inf is no number."""
        z, w = random_logits(members=2), np.array([0.0, 1.0])
        z[ruled_out, :, 2] = -np.inf
        expected = log_softmax(z[1].astype("float64"), -1)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(pooled(list(z), w, mean)), expected, rtol=1e-5, atol=1e-6)
        p = softmax(z.astype("float64"), -1)
        weights = softmax(np.sum(p * np.log(np.where(p > 0, p, 1)), axis=-1).T, axis=-1)
        found = keras.ops.convert_to_numpy(confident(list(z), np.array([0.5, 0.5]), "entropy"))
        np.testing.assert_allclose(found, weights, rtol=1e-5)

    @pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
    def test_a_member_without_weight_says_nothing(self, mean):
        sure, other = np.array([[400.0, 0.0, 0.0]], "float32"), np.array([[-300.0, 1.0, 0.0]], "float32")
        found = keras.ops.convert_to_numpy(pooled([sure, other], np.array([0.0, 1.0]), mean))
        np.testing.assert_allclose(found, log_softmax(other.astype("float64"), -1), rtol=1e-6)

    @pytest.mark.parametrize("by", ["entropy", "maximum"])
    @pytest.mark.parametrize("sharpness", [0.0, 1.0, 4.0])
    def test_weights_by_confidence(self, by, sharpness):
        z, w = random_logits(), np.array([0.5, 0.2, 0.3])
        p = softmax(z.astype("float64"), -1)
        confidence = p.max(-1) if by == "maximum" else (p * np.log(p)).sum(-1)
        expected = softmax(np.log(w)[:, None] + sharpness * confidence, axis=0).T
        found = keras.ops.convert_to_numpy(confident(list(z), w, by, sharpness))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        layer = Pool(confidence=by, sharpness=sharpness)
        layer.build([(None, CLASSES)] * 3)
        layer.assign(w)
        expected = np.log((expected.T[..., None] * p).sum(0))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(list(z))), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mean": "geometrical"}, "Unknown mean 'geometrical'. Did you mean 'geometric'"),
            ({"confidence": "entropie"}, "Unknown confidence 'entropie'. Did you mean 'entropy'"),
            ({"sharpness": -1.0}, "sharpness=-1"),
        ],
    )
    def test_refuses(self, options, message):
        with pytest.raises(InputError, match=message):
            Pool(**options)


def everything():
    """Members with a bridge, a probe on the same body, another size, another number of channels and a scale."""
    x, y = images(60)
    body, small = network(7, seed=1), network(seed=2)
    probe = bridges.Probe().fit(body, (x, y), (x, y), CLASSES)
    three = keras.Input((6, 6, 1))
    colour = keras.Model(three, keras.layers.Concatenate()([three * 0.5] * 3))
    return [
        teachers.Member(body, bridge=bridges.Subset([4, 0, 5])),
        small,
        teachers.Member(body, bridge=probe),
        teachers.Member(network(size=9, seed=3), temperature=2.5),
        teachers.Member(network(size=4, channels=3, seed=4), preprocessing=colour),
        teachers.Member(small, preprocessing=keras.layers.Rescaling(-2.0)),
    ]


WEIGHTS = (1, 2, 1, 0.5, 1.5, 2)


@pytest.fixture(scope="module")
def made():
    members = everything()
    return members, teachers.ensemble(members, CLASSES, weights=WEIGHTS, input_shape=(6, 6, 1))


class TestNetwork:
    def test_is_the_mean_of_the_members_each_as_it_takes_the_images(self, made):
        members, network = made
        x, _ = images()
        resize = [np.asarray(keras.ops.image.resize(x, (n, n), antialias=True)) for n in (9, 4)]
        z = [
            answer(members[0].teacher, x)[:, [4, 0, 5]],
            answer(members[1], x),
            answer(members[2].bridge.network, x),
            answer(members[3].teacher, resize[0]) / 2.5,
            answer(members[4].teacher, np.repeat(resize[1], 3, axis=-1) * 0.5),
            answer(members[1], -2 * x),
        ]
        w = np.array(WEIGHTS) / 8
        expected = logsumexp(log_softmax(z, -1) + np.log(w)[:, None, None], axis=0)
        np.testing.assert_allclose(answer(network, x), expected, rtol=1e-4, atol=1e-5)

    def test_members_that_share_their_inputs_run_once(self, made):
        _, network = made
        names = sorted(layer.name for layer in network.layers if layer.name.startswith("member"))
        assert names == ["member1", "member2", "member4", "member5"]
        body = network.get_layer("member1")
        assert len(body.outputs) == 2
        assert sum(isinstance(layer, keras.layers.Conv2D) for layer in body.layers) == 1

    def test_is_saved_and_loaded_as_a_teacher(self, made, tmp_path):
        _, network = made
        network.save(tmp_path / "t.keras")
        loaded = teachers.load(tmp_path / "t.keras")
        assert type(loaded) is type(network)
        np.testing.assert_array_equal(answer(loaded, images()[0]), answer(network, images()[0]))

    def test_teaches_and_is_cached(self, made, tmp_path):
        _, teacher = made
        split = Split(np.random.default_rng(0).integers(0, 9, (24, 6, 6, 1), "uint8"), np.arange(24) % 3)
        cache = teachers.Cache(tmp_path, teacher, dtype="float32").build(split, passes=1)
        stored = cache.rows(0, np.arange(24))["@logits"]
        np.testing.assert_allclose(stored, answer(teacher, split.images.astype("float32")), rtol=1e-4, atol=1e-5)
        student = network(seed=9)
        log_p, log_q = log_softmax(stored / 2.0, -1), log_softmax(answer(student, split.images) / 2.0, -1)
        distiller = Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton(2.0)})
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        distiller.compile("sgd", loss=loss, run_eagerly=True)
        history = distiller.fit(data.Batches(split, 24), verbose=0).history
        assert history["soft"][0] == pytest.approx(4 * (np.exp(log_p) * (log_p - log_q)).sum(-1).mean(), rel=1e-3)

    def test_a_layer_of_a_member_can_be_tapped(self):
        member, (x, _) = network(seed=2), images()
        both = teachers.ensemble([network(seed=1), member], CLASSES)
        taken = tap(both, ["member2/stage1"], role="teacher")(x)
        expected = answer(keras.Model(member.input, member.get_layer("stage1").output), x)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(taken["member2/stage1"]), expected, rtol=1e-5)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(taken["@logits"]), answer(both, x), rtol=1e-5)

    def test_leaves_its_members_as_they_were(self):
        member = network()
        member.layers[1].trainable = False
        before = member.get_weights()
        teachers.ensemble([member, network(seed=2)], CLASSES)
        assert [layer.trainable for layer in member.layers] == [True, False, True, True]
        for one, other in zip(before, member.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_subclassed_member(self):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(CLASSES)

            def call(self, inputs):
                return self.dense(self.flat(inputs))

        own, (x, _) = Own(), images()
        own(x)
        found = answer(teachers.ensemble([own, network()], CLASSES), x)
        p = softmax([answer(own, x), answer(network(), x)], axis=-1)
        np.testing.assert_allclose(np.exp(found), p.mean(0), rtol=1e-4)


def sharing():
    body = network()
    inputs = keras.Input((6, 6, 1))
    return [body, keras.Model(inputs, keras.layers.Dense(CLASSES)(body(inputs)))]


def two_named_alike():
    """As two probes on one body."""
    body = network()
    features = body.get_layer("features").output
    return [keras.Model(body.input, keras.layers.Dense(CLASSES, name="probe")(features)) for _ in range(2)]


def two_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Concatenate()(inputs)))


def softmaxed():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(inputs))


class TestRefusals:
    @pytest.mark.parametrize(
        ("members", "message"),
        [
            (lambda: [], "Expected one or more teachers. Received: none"),
            (lambda: [network(), network(7)], "Member 2: The teacher has 7 classes and the student 3. Pass a bridge"),
            (
                lambda: [teachers.Member(network(7), bridge=bridges.AuxiliaryHead())],
                "Member 1: behind AuxiliaryHead it has 7 classes and the student 3. Answers in different classes",
            ),
            (lambda: [teachers.Member(network(7), bridge=bridges.Probe())], "Member 1: Probe has to be fitted first"),
            (lambda: [keras.Sequential([keras.layers.Dense(3)])], "Member 1: .*teacher to be built"),
            (lambda: ["resnet8"], "Member 1: Expected the teacher to be a functional .* Received: str"),
            (lambda: [softmaxed()], "Member 1: Expected the teacher to return logits"),
            (lambda: [two_inputs()], "Member 1: expected a teacher of one input. Received: 2 inputs"),
            (lambda: [network(), network(size=9)], r"Expected `input_shape`.*\[\(6, 6, 1\), \(9, 9, 1\)\]"),
            (sharing, "Members 1 and 2 share layers and not their inputs"),
            (two_named_alike, "share their inputs with member1 do not fit into one network.*unique"),
            (
                lambda: [teachers.Member(network(), preprocessing=lambda x: x)],
                "Member 1: expected `preprocessing` to be a Keras layer or model. Received: function",
            ),
        ],
    )
    def test_members(self, members, message):
        with pytest.raises(InputError, match=message):
            teachers.ensemble(members(), CLASSES)

    def test_images_of_other_channels(self):
        message = r"Member 1 takes inputs of shape \(6, 6, 3\) and is shown \(6, 6, 1\). Only height and width"
        with pytest.raises(InputError, match=message):
            teachers.ensemble([network(channels=3)], CLASSES, input_shape=(6, 6, 1))

    def test_a_single_class(self):
        with pytest.raises(InputError, match="classes=1"):
            teachers.ensemble([network(1)], 1)

    def test_a_temperature(self):
        with pytest.raises(InputError, match="temperature=0"):
            teachers.Member(network(), temperature=0)

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ([1.0], r"a weight for each of the 2 members. Received: 1, \[1.0\]"),
            ([1.0, -0.5], r"weights\[1\]`. Expected a number ≥ 0. Received: weights\[1\]=-0.5"),
            ([1.0, float("nan")], r"weights\[1\]=nan"),
            ([0, 0], r"Expected a weight above 0. Received: \[0, 0\]"),
        ],
    )
    def test_weights(self, weights, message):
        with pytest.raises(InputError, match=message):
            teachers.ensemble([network(), network(seed=2)], CLASSES, weights=weights)


class TestLearnedWeights:
    @pytest.mark.parametrize("scale", [1.0, 100.0])
    def test_are_the_maximum_of_the_likelihood(self, scale):
        log_p = log_softmax(np.random.default_rng(1).normal(size=(80, 4, 5)) * scale, -1)[..., 0]
        log_p[:, 1] += 0.8 * scale

        def loss(free):
            return -logsumexp(log_p + log_softmax(np.append(free, 0.0)), axis=1).mean()

        best = min((minimize(loss, start, method="BFGS") for start in np.eye(3)), key=lambda found: found.fun)
        found = most_likely(log_p)
        assert found.sum() == pytest.approx(1)
        assert -logsumexp(log_p, b=found, axis=1).mean() <= best.fun + 1e-6

    def test_no_step_goes_down(self):
        log_p = log_softmax(np.random.default_rng(2).normal(size=(50, 3, 4)) * 2, -1)[..., 0]
        reached = [logsumexp(log_p, b=most_likely(log_p, steps=n), axis=1).mean() for n in range(12)]
        assert (np.diff(reached) >= -1e-12).all()
        assert reached[-1] > reached[0]

    def test_of_an_ensemble(self):
        (x, y), held = images(60), images(60)
        held[1][:10] = -1
        members = [network(seed=1), bridges.Probe(10.0).fit(network(seed=2), (x, y), (x, y), 3).network]
        both = teachers.ensemble(members, CLASSES, weights=[0.1, 0.9])
        learned = teachers.learn_weights(both, (x, y), held)
        log_p = np.stack([log_softmax(answer(m, x), -1) for m in members], 1)
        of_truth = log_p[np.arange(60), :, y]
        np.testing.assert_allclose(learned.weights, most_likely(of_truth), rtol=1e-3, atol=1e-4)
        kept, right = np.exp(log_p[10:]), y[10:]
        w = np.array(learned.weights)[:, None]
        assert learned.accuracy == pytest.approx(((w * kept).sum(1).argmax(-1) == right).mean())
        assert learned.equal == pytest.approx((kept.mean(1).argmax(-1) == right).mean())
        assert learned.alone == pytest.approx(tuple((kept[:, m].argmax(-1) == right).mean() for m in (0, 1)))
        expected = np.log((w * np.exp(log_p)).sum(1))
        np.testing.assert_allclose(answer(both, x), expected, rtol=1e-4, atol=1e-5)

    def test_of_a_single_member(self, tmp_path):
        alone = teachers.ensemble([network()], 3)
        alone.save(tmp_path / "alone.keras")
        for one in (alone, keras.saving.load_model(tmp_path / "alone.keras")):
            learned = teachers.learn_weights(one, images(60), images(60))
            assert learned.weights == (1.0,)
            assert learned.accuracy == learned.equal == learned.alone[0]

    @pytest.mark.parametrize(
        ("made", "message"),
        [
            (network, "Expected a network of `teachers.ensemble`. Received: Functional"),
            (lambda: teachers.ensemble([network()], 3, mean="geometric"), "mean='geometric', confidence=None"),
            (lambda: teachers.ensemble([network()], 3, confidence="entropy"), "confidence='entropy'"),
        ],
    )
    def test_refuses(self, made, message):
        with pytest.raises(InputError, match=message):
            teachers.learn_weights(made(), images(), images())
