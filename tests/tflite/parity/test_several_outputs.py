"""Comparison and evaluation by task and by output, against Keras's own answers and metrics."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite

RNG = np.random.default_rng(0)
GIVEN = {
    "image": RNG.integers(0, 256, (50, 6, 6, 3)).astype("float32"),
    "words": RNG.integers(0, 11, (50, 7)).astype("int32"),
}


@pytest.fixture(scope="module")
def model():
    """Outputs of one shape, whose names are in no order."""
    keras.utils.set_random_seed(1)
    image, words = keras.Input((6, 6, 3), name="image"), keras.Input((7,), dtype="int32", name="words")
    x = layers.Conv2D(6, 3, activation="relu")(layers.Rescaling(1 / 128, -1)(image))
    maps = layers.Conv2D(3, 3, padding="same", name="maps")(layers.Rescaling(1 / 128, -1)(image))
    x = layers.concatenate(
        [layers.GlobalAveragePooling2D()(x), layers.GlobalAveragePooling1D()(layers.Embedding(11, 4)(words))]
    )
    outputs = [
        layers.Dense(4, name="size")(x),
        layers.Dense(4, name="kind")(x),
        layers.Dense(4, activation="sigmoid", name="marks")(x),
        maps,
    ]
    return keras.Model([image, words], outputs)


@pytest.fixture(scope="module")
def expected(model):
    return dict(zip(model.output_names, model.predict(GIVEN, verbose=0), strict=True))


@pytest.fixture(scope="module")
def labels(expected):
    """Right but for noise."""

    def noisy(scores, classes):
        right = scores.argmax(-1)
        return np.where(RNG.random(right.shape) < 0.3, RNG.integers(0, classes, right.shape), right)

    middle = np.median(expected["marks"], axis=0)
    return {
        "size": expected["size"] + RNG.normal(size=(50, 4)),
        "kind": noisy(expected["kind"], 4),
        "marks": (expected["marks"] + RNG.normal(0, 0.02, (50, 4)) > middle).astype(int),
        "maps": noisy(expected["maps"], 3),
    }


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    return {
        scheme: tflite.convert(
            model, folder / f"{scheme}.tflite", scheme=scheme, representative=GIVEN if scheme == "int8" else None
        ).path
        for scheme in ("float32", "int8")
    }


TASKS = {"size": "regression", "kind": "classification", "marks": "multi_label", "maps": "segmentation"}


def test_each_output_is_evaluated_by_its_task(files, labels, expected):
    found = tflite.evaluate(files["float32"], (GIVEN, labels), threshold={"marks": 0.5})
    assert list(found.outputs) == list(TASKS)
    assert {name: getattr(one, "task", "classification") for name, one in found.outputs.items()} == TASKS
    values = found.outputs
    assert values["size"].metrics["mae"] == pytest.approx(np.abs(expected["size"] - labels["size"]).mean(), rel=1e-4)
    assert values["kind"].accuracy == pytest.approx((expected["kind"].argmax(-1) == labels["kind"]).mean())
    assert 0 < values["kind"].accuracy < 1
    reference = keras.metrics.MeanIoU(3)
    reference.update_state(labels["maps"], expected["maps"].argmax(-1))
    assert values["maps"].metrics["miou"] == pytest.approx(float(reference.result()), rel=1e-4)
    precision = keras.metrics.F1Score(average="micro", threshold=0.5)
    precision.update_state(labels["marks"], expected["marks"])
    assert values["marks"].metrics["f1_micro"] == pytest.approx(float(precision.result()), rel=1e-4)
    # In batches, in lists, of some outputs alone.
    batches = [
        ({name: array[part] for name, array in GIVEN.items()}, {"kind": labels["kind"][part]})
        for part in (slice(0, 7), slice(7, 50))
    ]
    some = tflite.evaluate(files["float32"], batches)
    assert list(some.outputs) == ["kind"]
    assert some.outputs["kind"].accuracy == values["kind"].accuracy
    listed = tflite.evaluate(files["float32"], (list(GIVEN.values()), [None, labels["kind"], None, None]))
    assert listed.outputs["kind"].accuracy == values["kind"].accuracy


def test_each_output_is_compared_by_its_task(files, model, labels, expected):
    found = tflite.compare(model, files["int8"], GIVEN, labels=labels, threshold={"marks": 0.5})
    assert {one.name: one.task for one in found.outputs} == TASKS
    by_name = {one.name: one for one in found.outputs}
    received = answers(files["int8"])
    for name, one in by_name.items():
        error = np.abs(received[name] - expected[name])
        assert one.mean_error == pytest.approx(error.mean(), rel=1e-3)
        assert one.relative_mean_error == pytest.approx((error / expected[name].std(axis=0)).mean(), rel=1e-3)
    assert by_name["size"].agreement is None
    same = (received["kind"].argmax(-1) == expected["kind"].argmax(-1)).mean()
    assert by_name["kind"].agreement == pytest.approx(same)
    same = (received["maps"].argmax(-1) == expected["maps"].argmax(-1)).mean()
    assert by_name["maps"].agreement == pytest.approx(same)
    assert 0.9 < by_name["maps"].agreement < 1
    same = ((received["marks"] > 0.5) == (expected["marks"] > 0.5)).mean()
    assert by_name["marks"].agreement == pytest.approx(same)
    assert found.agreement == min(one.agreement for one in found.outputs if one.agreement is not None)
    assert found.max_error == max(one.max_error for one in found.outputs)
    metric = by_name["size"].keras_metrics["mae"]
    assert metric == pytest.approx(np.abs(expected["size"] - labels["size"]).mean(), rel=1e-4)
    assert by_name["kind"].keras_metrics["accuracy"] == (expected["kind"].argmax(-1) == labels["kind"]).mean()


def answers(path):
    """Answers of the runtime's own interpreter by name."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner("serve")
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    scale, zero = inputs["image"]["quantization"]
    pixels = (np.rint(GIVEN["image"] / scale) + zero).astype("int8")
    found = [runner(image=pixels[i : i + 1], words=GIVEN["words"][i : i + 1]) for i in range(50)]
    return {
        name: (np.concatenate([one[name] for one in found]).astype("float32") - detail["quantization"][1])
        * detail["quantization"][0]
        for name, detail in outputs.items()
    }


@pytest.mark.parametrize(
    ("task", "threshold"), [("multi_label", 0.3), ("multi_label", None), ("regression", None), (None, None)]
)
def test_one_output_is_compared_by_its_task(task, threshold, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(6, activation="sigmoid")(inputs))
    samples = RNG.normal(size=(80, 5)).astype("float32")
    made = tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=samples, input_type="int8")
    found = tflite.compare(model, made.path, samples, task=task, threshold=threshold)
    expected = model.predict(samples, verbose=0)
    received = tflite.compare(model, made.path, samples, task="regression")
    assert received.agreement is None
    assert 0 < received.relative_mean_error < 0.05
    assert received.relative_max_error >= received.relative_mean_error
    if task == "regression":
        return
    # A sigmoid of several tells labels, of which the largest says nothing.
    assert (found.task, found.threshold) == ("multi_label", threshold or 0.5)
    limit = found.threshold
    near = np.abs(expected - limit) > found.max_error
    assert near.mean() <= found.agreement <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": {"kinds": np.zeros(50, int)}}, r"outputs of \['size', 'kind', 'marks', 'maps'\].*\['kinds'\]"),
        ({"labels": np.zeros(50, int)}, r"each of the outputs \['size'.*one array \(50,\)"),
        ({"task": {"kind": "clasification"}}, "Did you mean 'classification'"),
        ({"task": "regression", "threshold": 0.5}, "`threshold` with the tasks binary and multi_label alone"),
        ({"layers": True}, "one input to compare layer by layer"),
    ],
)
def test_arguments_that_fit_no_output(arguments, message, files, model):
    with pytest.raises(tflite.ModelError, match=message):
        tflite.compare(model, files["float32"], GIVEN, **arguments)


def test_words_between_two_are_refused(files, model):
    with pytest.raises(tflite.ModelError, match=r"whole numbers for 'words', which is int32"):
        tflite.compare(model, files["float32"], {**GIVEN, "words": GIVEN["words"] + 0.5})
    with pytest.raises(tflite.ModelError, match=r"inputs named \['image', 'words'\]. Received: \['image'\]"):
        tflite.compare(model, files["float32"], {"image": GIVEN["image"]})


def test_such_files_are_inspected_checked_and_benchmarked(files):
    tflite.check(files["int8"], use="run")
    found = tflite.inspect(files["int8"])
    assert [port.name for port in found.inputs] == ["image", "words"]
    assert dict(found.signatures[0].outputs) == {name: name for name in TASKS}
    inputs = {"image": GIVEN["image"][:2], "words": GIVEN["words"][:2]}
    measured = tflite.benchmark(files["int8"], inputs=inputs, runs=3, warmup_runs=1, rounds=1, min_seconds=0)
    assert measured.median_ms > 0
