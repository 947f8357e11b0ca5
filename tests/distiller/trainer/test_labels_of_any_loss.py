"""The mark of an unknown label depends on the loss; every other number means itself, as in Keras."""

import functools
import typing

import keras
import numpy as np
import pytest

from distiller import Distiller, teachers
from distiller.errors import InputError

RNG = np.random.default_rng(4)
X = RNG.normal(size=(12, 3)).astype("float32")
SIGNS = np.array([-1, 0, 1, 1, -1, 0, 1, -1, -1, 0, 1, 0])
LOSSES = keras.losses


def linear(outputs=1, seed=1, activation=None):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(outputs, activation=activation)(inputs))


def distiller(loss, outputs=1, activation=None, **compile):
    made = Distiller(
        teacher=linear(outputs, 2),
        student=linear(outputs, activation=activation),
        objectives={"soft": "mean_squared_logits"},
        weights={"soft": 0.0},
    )
    made.compile(keras.optimizers.SGD(0.0), loss=loss, **compile)
    return made


def of_keras(loss, x, y, outputs=1, activation=None, sample_weight=None, **options):
    alone = linear(outputs, activation=activation)
    alone.compile("sgd", loss=loss, **{"weighted_metrics": ["mae"], **options})
    return alone.evaluate(x, y, sample_weight=sample_weight, verbose=0, return_dict=True)


def squared(labels, answers):
    return keras.ops.mean(keras.ops.square(labels - answers), axis=-1)


class Halved(LOSSES.MeanAbsoluteError):
    """A subclass of a loss of Keras."""

    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) / 2


NUMBERS = {
    "mse": "mse",
    "mean_absolute_error": LOSSES.mean_absolute_error,
    "Huber": LOSSES.Huber(delta=0.5),
    "hinge": "hinge",
    "SquaredHinge": LOSSES.SquaredHinge(),
    "LogCosh": LOSSES.LogCosh(),
    "Poisson": LOSSES.Poisson(),
    "KLDivergence": LOSSES.KLDivergence(),
    "function": squared,
    "partial": functools.partial(squared),
    "subclass": Halved(),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("shape", [(12,), (12, 1)], ids=["flat", "column"])
def test_numbers_below_zero_mean_themselves(name, shape):
    """Of Poisson and the divergence the answers are positive, or Keras has no number."""
    activation = "softplus" if name in ("Poisson", "KLDivergence") else None
    y = SIGNS.reshape(shape)
    model = distiller(NUMBERS[name], activation=activation, metrics=["mae"])
    found = model.evaluate(X, y, verbose=0, return_dict=True)
    expected = of_keras(NUMBERS[name], X, y, activation=activation)
    assert [found["loss"], found["labels"], found["mae"]] == pytest.approx(
        [expected["loss"]] * 2 + [expected["mae"]], rel=1e-5
    )


@pytest.mark.parametrize("dtype", ["int8", "int64", "float16", "float64", "bool", "uint8"])
def test_of_any_type(dtype):
    y = SIGNS.astype(dtype)
    history = distiller("mse").fit(X, y, verbose=0, batch_size=12).history
    assert history["labels"][0] == pytest.approx(of_keras("mse", X, y)["loss"], rel=1e-5)


class Stream(keras.utils.PyDataset):
    """Batches of four; the first has no number below zero."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    @property
    def num_batches(self):
        return len(self.x) // 4

    def __getitem__(self, index):
        return self.x[index * 4 : index * 4 + 4], self.y[index * 4 : index * 4 + 4]


def in_batches(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


def generated(x, y):
    return ((x[i : i + 4], y[i : i + 4]) for i in range(0, len(x), 4))


FEEDS = [Stream, generated, *([in_batches] if keras.backend.backend() == "tensorflow" else [])]


@pytest.mark.parametrize("feed", FEEDS)
def test_in_any_form(feed):
    order = np.argsort(-SIGNS, kind="stable")
    x, y = X[order], SIGNS[order].astype("float32").reshape(-1, 1) * np.float32([1, 2, 0.5])
    expected = of_keras("mse", x, y, 3)["loss"]
    steps = 3 if feed is generated else None  # Keras warns where a generator ends
    found = distiller("mse", 3).evaluate(feed(x, y), verbose=0, steps=steps)
    assert found == pytest.approx([expected] * 2, rel=1e-5)
    options = {"validation_data": (x, y), "shuffle": False, "steps_per_epoch": steps, "verbose": 0}
    history = distiller("mse", 3).fit(feed(x, y), **options).history
    assert [history[name][0] for name in ("labels", "val_labels")] == pytest.approx([expected] * 2, rel=1e-5)


class TestNaN:
    """Marks an unlabelled row of a loss of numbers."""

    Y: typing.ClassVar = RNG.normal(size=(12, 2)).astype("float32")
    UNKNOWN = np.arange(12) % 3 == 1

    @pytest.mark.parametrize("loss", ["mse", LOSSES.Huber(), squared])
    def test_counts_in_nothing_of_the_labels(self, loss):
        y = np.where(self.UNKNOWN[:, None], np.nan, self.Y).astype("float32")
        model = distiller(loss, 2, metrics=["mae"])
        found = model.evaluate(X, y, batch_size=5, verbose=0, return_dict=True)
        expected = of_keras(loss, X[~self.UNKNOWN], self.Y[~self.UNKNOWN], 2)
        assert [found["loss"], found["mae"]] == pytest.approx([expected["loss"], expected["mae"]], rel=1e-5)
        history = model.fit(X, y, batch_size=12, verbose=0).history
        assert history["labels"][0] == pytest.approx(expected["loss"], rel=1e-5)
        apart = np.square(linear(2, 2).predict(X, verbose=0) - linear(2).predict(X, verbose=0)).mean()
        assert history["soft"][0] == pytest.approx(apart, rel=1e-5)

    def test_a_part_of_a_row_is_refused(self):
        y = self.Y.copy()
        y[3, 0] = np.nan
        with pytest.raises(InputError, match="NaN in a part of a row"):
            distiller("mse", 2).fit(X, y, verbose=0)

    def test_a_weight_of_zero_leaves_a_sample_out_of_every_term(self):
        weights = np.where(self.UNKNOWN, 0, 1).astype("float32")
        history = distiller("mse", 2).fit(X, self.Y, sample_weight=weights, batch_size=12, verbose=0).history
        per_sample = np.square(linear(2).predict(X, verbose=0) - self.Y).mean(-1)
        assert history["labels"][0] == pytest.approx((weights * per_sample).mean(), rel=1e-5)

    def test_students_that_teach_each_other(self):
        mutual = teachers.Mutual([linear(2), linear(2, 2)], objective="mean_squared_logits")
        mutual.compile(keras.optimizers.SGD(0.0), loss="mse", metrics=["mae"])
        y = -np.abs(np.where(self.UNKNOWN[:, None], np.nan, self.Y)).astype("float32")
        known = ~self.UNKNOWN
        expected = of_keras("mse", X[known], y[known], 2)
        found = mutual.evaluate(X, y, verbose=0, return_dict=True)
        assert found["student1_labels"] == pytest.approx(expected["loss"], rel=1e-5)
        assert found["student1_mae"] == pytest.approx(expected["mae"], rel=1e-5)
        assert mutual.fit(X, y, batch_size=12, verbose=0).history["student1_labels"][0] == pytest.approx(
            expected["loss"], rel=1e-5
        )

    def test_a_teacher_that_is_the_mean_of_its_student(self):
        made = teachers.MeanTeacher(student=linear(2), objectives={"soft": "mean_squared_logits"})
        made.compile(keras.optimizers.SGD(0.0), loss="mse")
        expected = of_keras("mse", X, -np.abs(self.Y), 2)["loss"]
        history = made.fit(X, -np.abs(self.Y), batch_size=12, verbose=0).history
        assert history["labels"][0] == pytest.approx(expected, rel=1e-5)


class TestClasses:
    """−1 marks an unlabelled sample of every loss of classes, in every form."""

    Y = np.arange(12) % 3
    UNKNOWN = np.arange(12) % 4 == 1
    FORMS: typing.ClassVar = {
        "sparse": (LOSSES.SparseCategoricalCrossentropy(from_logits=True), "int64"),
        "sparse of floats": (LOSSES.SparseCategoricalCrossentropy(from_logits=True), "float32"),
        "partial": (functools.partial(LOSSES.sparse_categorical_crossentropy, from_logits=True), "int32"),
        "rows": (LOSSES.CategoricalCrossentropy(from_logits=True), "float32"),
        "focal": (LOSSES.CategoricalFocalCrossentropy(from_logits=True), "float32"),
        "binary": (LOSSES.BinaryCrossentropy(from_logits=True), "int32"),
        "binary focal": (LOSSES.BinaryFocalCrossentropy(from_logits=True), "float32"),
    }

    @pytest.mark.parametrize("form", FORMS)
    def test_is_left_out(self, form):
        loss, dtype = self.FORMS[form]
        rows = not form.startswith(("sparse", "partial"))
        y = (np.eye(3)[self.Y] if rows else self.Y).astype(dtype)
        marked = np.where(self.UNKNOWN[:, None], -1, y) if rows else np.where(self.UNKNOWN, -1, y)
        known = ~self.UNKNOWN
        expected = of_keras(loss, X[known], y[known], 3, weighted_metrics=["mse"] if rows else ["accuracy"])
        made = Distiller(student=linear(3), objectives={})
        made.compile("sgd", loss=loss, metrics=["mse"] if rows else ["accuracy"])
        found = made.evaluate(X, marked.astype(dtype), batch_size=5, verbose=0, return_dict=True)
        assert [found["loss"], found[list(found)[-1]]] == pytest.approx(
            [expected["loss"], expected[list(expected)[-1]]], rel=1e-5
        )

    @pytest.mark.parametrize("form", ["sparse", "rows"])
    @pytest.mark.parametrize("way", ["evaluate", "fit", "validation"])
    def test_is_left_out_of_what_samples_weigh(self, form, way):
        """Keras, given the labelled samples alone, is the reference for the loss and the weighted accuracy."""
        (loss, dtype), known = self.FORMS[form], ~self.UNKNOWN
        y = self.Y if form == "sparse" else np.eye(3)[self.Y]
        marked = np.where(known if form == "sparse" else known[:, None], y, -1).astype(dtype)
        weights = np.linspace(0.5, 3, 12).astype("float32")
        expected = of_keras(loss, X[known], y[known], 3, weighted_metrics=["accuracy"], sample_weight=weights[known])
        assert 0 < expected["accuracy"] < 1
        made = distiller(loss, 3, metrics=["accuracy"])
        if way == "evaluate":
            found = made.evaluate(X, marked, batch_size=5, sample_weight=weights, verbose=0, return_dict=True)
        else:
            held_out = {"validation_data": (X, marked, weights)} if way == "validation" else {}
            history = made.fit(X, marked, batch_size=12, sample_weight=weights, verbose=0, **held_out).history
            prefix = "val_" if held_out else ""
            found = {"loss": history[f"{prefix}{'loss' if held_out else 'labels'}"][0]}
            found["accuracy"] = history[f"{prefix}accuracy"][0]
        assert [found[name] for name in ("loss", "accuracy")] == pytest.approx(
            [expected["loss"], expected["accuracy"]], rel=1e-5
        )

    def test_a_loss_of_ones_own_says_which_class_it_ignores(self):
        class Own(LOSSES.Loss):
            ignore_class = -1

            def call(self, y_true, y_pred):
                return LOSSES.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

        made = Distiller(student=linear(3), objectives={})
        made.compile("sgd", loss=Own())
        known = ~self.UNKNOWN
        expected = of_keras(self.FORMS["sparse"][0], X[known], self.Y[known], 3, weighted_metrics=None)["loss"]
        assert made.evaluate(X, np.where(known, self.Y, -1), verbose=0)[0] == pytest.approx(expected, rel=1e-5)

    def test_sparse_labels_of_floats_are_whole(self):
        y = self.Y.astype("float32")
        y[5] = 0.5
        made = Distiller(student=linear(3), objectives={})
        made.compile("sgd", loss=self.FORMS["sparse"][0])
        with pytest.raises(InputError, match=r"no whole numbers. Expected classes.*Received: 0.5"):
            made.fit(X, y, verbose=0, batch_size=4)

    @pytest.mark.parametrize(("wrong", "message"), [(2, "0 to 1 of each"), ([1, -1, 0], "−1 throughout")])
    def test_independent_labels_out_of_range(self, wrong, message):
        y = np.eye(3, dtype="int32")[self.Y]
        y[7] = wrong
        made = Distiller(student=linear(3), objectives={})
        made.compile("sgd", loss=self.FORMS["binary"][0])
        with pytest.raises(InputError, match=message):
            made.fit(X, y, verbose=0)

    def test_a_loss_of_probabilities_without_another_form(self):
        made = Distiller(student=linear(3), objectives={})
        with pytest.raises(InputError, match="which takes probabilities"):
            made.compile("sgd", loss=LOSSES.CategoricalGeneralizedCrossEntropy())


class TestSegmentation:
    def network(self):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4, 4, 1))
        return keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))

    IMAGES: typing.ClassVar = RNG.normal(size=(5, 4, 4, 1)).astype("float32")
    Y = RNG.integers(-1, 3, (5, 4, 4))

    @pytest.mark.parametrize("form", ["(B, H, W)", "(B, H, W, 1)", "shares"])
    def test_of_pixels(self, form):
        made = Distiller(teacher=self.network(), student=self.network(), objectives={})
        sparse = LOSSES.SparseCategoricalCrossentropy(from_logits=True)
        rows = LOSSES.CategoricalCrossentropy(from_logits=True)
        y = {"(B, H, W)": self.Y, "(B, H, W, 1)": self.Y[..., None]}.get(form)
        y = np.where(self.Y[..., None] < 0, -1, np.eye(3)[self.Y]).astype("float32") if y is None else y
        made.compile("sgd", loss=rows if form == "shares" else sparse)
        z = self.network().predict(self.IMAGES, verbose=0).astype("float64")
        log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
        expected = -np.take_along_axis(log_p, np.maximum(self.Y, 0)[..., None], -1)[self.Y >= 0].mean()
        assert made.evaluate(self.IMAGES, y, batch_size=2, verbose=0)[0] == pytest.approx(expected, rel=1e-4)

    def test_of_numbers(self):
        """Depth of pixels, NaN where nothing was measured."""
        made = Distiller(teacher=self.network(), student=self.network(), objectives={})
        made.compile("sgd", loss="mse")
        y = np.where(self.Y[..., None] < 0, np.nan, -np.float32([1, 2, 3]) * self.Y[..., None]).astype("float32")
        apart = np.square(self.network().predict(self.IMAGES, verbose=0) - y)[self.Y >= 0].mean()
        assert made.evaluate(self.IMAGES, y, batch_size=2, verbose=0)[0] == pytest.approx(apart, rel=1e-4)


class TestNotOneAPosition:
    """A loss counts in its own shape."""

    WORDS: typing.ClassVar = RNG.normal(size=(4, 6, 3)).astype("float32")

    def network(self, masked=False):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6, 3))
        x = keras.layers.Masking()(inputs) if masked else inputs
        return keras.Model(inputs, keras.layers.Dense(5)(x))

    def made(self, loss, masked=False, **options):
        made = Distiller(
            teacher=self.network(),
            student=self.network(masked),
            objectives={"soft": "hinton"},
            weights={"soft": 0.0},
        )
        made.compile(keras.optimizers.SGD(0.0), loss=loss, **options)
        return made

    def test_ctc(self):
        y = np.array([[1, 2, 0], [3, 0, 0], [4, 4, 1], [2, 1, 0]])
        alone = self.network()
        alone.compile("sgd", loss=LOSSES.CTC())
        expected = alone.evaluate(self.WORDS, y, batch_size=4, verbose=0)
        model = self.made(LOSSES.CTC())
        assert model.evaluate(self.WORDS, y, batch_size=4, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
        weights = np.array([1, 2, 0, 1], "float32")
        expected = alone.evaluate(self.WORDS, y, batch_size=4, sample_weight=weights, verbose=0)
        history = model.fit(self.WORDS, y, batch_size=4, sample_weight=weights, verbose=0).history
        assert history["labels"][0] == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("masked", [False, True])
    def test_a_loss_that_pools_a_sequence(self, masked):
        def pooled(labels, answers):
            return LOSSES.sparse_categorical_crossentropy(labels, keras.ops.mean(answers, axis=1), from_logits=True)

        words = self.WORDS.copy()
        if masked:
            words[1] = 0  # all of it is hidden
        y, counted = np.array([1, 0, 4, 2]), np.array([1, 0, 1, 1] if masked else [1, 1, 1, 1])
        z = self.network().predict(words, verbose=0).astype("float64").mean(1)
        per_sample = np.log(np.exp(z).sum(-1)) - z[np.arange(4), y]
        expected = (per_sample * counted).sum() / counted.sum()
        model = self.made(pooled, masked)
        assert model.evaluate(words, y, batch_size=4, verbose=0, return_dict=True)["loss"] == pytest.approx(
            expected, rel=1e-5
        )
        assert model.fit(words, y, batch_size=4, verbose=0).history["labels"][0] == pytest.approx(expected, rel=1e-5)

    def test_weights_of_positions_need_a_loss_of_positions(self):
        with pytest.raises(InputError, match="one weight for each number of the loss"):
            self.made(LOSSES.CTC()).train_on_batch(
                self.WORDS, np.ones((4, 3), "int32"), sample_weight=np.ones((4, 6), "float32")
            )

    def test_boxes_of_a_grid(self):
        """A detector of (batch, cells, cells, 4) with labels of another shape: boxes (batch, 7, 4)."""
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4, 4, 1))
        teacher, network = (keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs)) for _ in range(2))

        def nearest(boxes, answers):
            cells = keras.ops.reshape(answers, (-1, 16, 1, 4))
            return keras.ops.sum(keras.ops.min(keras.ops.sum((cells - boxes[:, None]) ** 2, -1), 1), -1)

        x = TestSegmentation.IMAGES
        boxes = RNG.normal(size=(5, 7, 4)).astype("float32")
        boxes[2] = np.nan  # unlabelled
        made = Distiller(teacher=teacher, student=network, objectives={})
        made.compile("sgd", loss=nearest)
        cells = network.predict(x, verbose=0).reshape(5, 16, 1, 4)
        per_sample = np.square(cells - boxes[:, None]).sum(-1).min(1).sum(-1)
        expected = per_sample[[0, 1, 3, 4]].mean()
        assert made.evaluate(x, boxes, verbose=0)[0] == pytest.approx(expected, rel=1e-4)
        assert made.fit(x, boxes, batch_size=5, verbose=0).history["labels"][0] == pytest.approx(expected, rel=1e-4)
