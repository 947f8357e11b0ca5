"""Runs of several labels, of numbers and of masks on digits: metrics, files, verdict, and what is refused."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from distiller import data, recipes, report
from distiller.errors import InputError
from distiller.report import tasks as task_report
from distiller.runs import pipeline

CODE = """
import keras
from keras import layers


def of_image(classes, input_shape, width=8):
    pixels = keras.Input(input_shape)
    x = layers.Conv2D(width, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, layers.Dense(classes, name="answer")(layers.Flatten()(x)))


def of_pixels(classes, input_shape, width=8):
    pixels = keras.Input(input_shape)
    x = layers.Dense(4 * width, activation="relu")(layers.Flatten()(layers.Rescaling(1 / 255)(pixels)))
    shape = (*input_shape[:2], classes)
    return keras.Model(pixels, layers.Reshape(shape)(layers.Dense(shape[0] * shape[1] * classes, name="answer")(x)))
"""
CASES = {
    "multi_label": ("properties", "of_image", {"name": "hinton", "temperature": 2.0}),
    "regression": ("rotation", "of_image", {"name": "mean_squared_logits"}),
    "segmentation": ("strokes", "of_pixels", {"name": "hinton", "temperature": 2.0}),
}


def asked(place, task, **changes):
    derive, function, objective = CASES[task]
    network = f"{place / 'networks.py'}:{function}"
    section = {"name": "digits", "derive": derive}
    plan = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "learning_rate": 0.01, "steps_per_epoch": 20}
    teacher = {"kind": "train", "summary": "Wide", "task": task, "data": section, "training": plan}
    content = {
        "kind": "run",
        "summary": "Digits",
        "task": task,
        "data": section,
        "teacher": {"train": {**teacher, "model": {"name": network, "options": {"width": 16}}}},
        "student": {"name": network},
        "training": plan,
        "arms": {"hard_labels": {}, "distilled": {"objectives": {"soft": objective}}},
        "export": {"schemes": ["int8"]},
        "benchmark": {"runs": 5, "seconds": 0},
    }
    return recipes.checked(content | changes, "digits", kind="run")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "networks.py").write_text(CODE)
    return folder


@pytest.fixture(scope="module", params=CASES)
def done(request, place):
    task = request.param
    content = pipeline.run(asked(place, task), place / task)
    return task, place / task, content


def reference(task, answers, labels):
    """The metric of a task by another library."""
    if task == "multi_label":
        from sklearn.metrics import average_precision_score

        return average_precision_score(labels, answers)
    if task == "regression":
        return keras.metrics.MeanAbsoluteError()(labels, answers)
    metric = keras.metrics.MeanIoU(num_classes=answers.shape[-1], sparse_y_pred=False)
    metric.update_state(labels, answers)
    return metric.result()


def test_metrics_are_those_of_the_libraries(done):
    task, folder, content = done
    test = data.load_task("digits", task, derive=CASES[task][0]).test
    for student in content["students"]:
        network = keras.saving.load_model(folder / f"{student['name']}-0.keras")
        answers = network.predict(test.images.astype("float32"), verbose=0)
        expected = float(reference(task, answers, test.labels))
        assert 0 < expected < 1
        assert student["test"][content["metric"]] == pytest.approx(expected, abs=1e-4)


def test_the_integer_file_is_measured_itself(done):
    _, folder, content = done
    for student in content["students"]:
        (file,) = student["tflite"]
        assert tflite.inspect(folder / file["file"]).is_integer
        assert file["bytes"] == (folder / file["file"]).stat().st_size
        float_one = student["test"][content["metric"]]
        assert file["test"][content["metric"]] == pytest.approx(float_one, abs=0.05)
        assert file["latency_ms"]["median"] > 0


def test_what_was_learned_is_better_than_a_constant(done):
    task, _, content = done
    name = content["metric"]
    gain = content["teacher"]["test"][name] - content["baseline"]["test"][name]
    assert gain * (-1 if content["lower_is_better"] else 1) > 0
    assert content["lower_is_better"] == (task == "regression")


def test_the_report_command_prints_table_and_verdict(done, command):
    task, folder, content = done
    code, out, _ = command("report", folder)
    assert code == 0
    assert {"multi_label": "mAP", "regression": "lower is better", "segmentation": "mIoU"}[task] in out
    hard, taught = (student["test"][content["metric"]] for student in content["students"])
    word = "better" if (taught < hard) == content["lower_is_better"] else "worse"
    assert f"{word} than the labels alone" in " ".join(out.split())
    with pytest.raises(InputError, match=f"Expected the run of a classification. Received: .* task {task}"):
        report.read(folder)


def test_a_finished_run_is_not_made_again(done, place):
    task, folder, content = done
    before = (folder / "distilled-0.keras").stat().st_mtime_ns
    again = pipeline.run(asked(place, task), folder, resume=True)
    assert (folder / "distilled-0.keras").stat().st_mtime_ns == before
    assert again["students"] == content["students"]


def test_a_constant_answer_is_the_best_of_its_kind():
    from distiller.runs.task_networks import constant

    images = np.zeros((5, 2, 2, 1), "uint8")
    numbers = data.Split(images, np.array([[0.0], [1.0], [1.0], [4.0], [9.0]], "float32"))
    found = constant(numbers, np.array([[2.0], [0.0]], "float32"), 1, "regression")
    assert found["mae"] == pytest.approx(1.0)  # of the median 1: |1 − 2| and |1 − 0|
    masks = data.Split(images, np.full((5, 2, 2), -1, "int32"))
    masks.labels[:, 0, 0], masks.labels[0, 1, 1] = 2, 0
    found = constant(masks, np.array([[[2, 2], [0, -1]]]), 3, "segmentation")
    assert found["miou"] == pytest.approx((2 / 3 + 0) / 2)  # class 2: two of three; class 0: none of one


def student_of(value, name, seed=0):
    metrics = {"mae": value, "rmse": value}
    own = {"scheme": "int8", "file": "f", "bytes": 1, "test": metrics, "latency_ms": {"median": 1, "p90": 1}}
    common = {"validation": metrics, "test": metrics, "parameters": 1, "seconds": 1}
    return {"name": name, "seed": seed, **common, "tflite": [own]}


def test_the_verdict_knows_which_way_is_better(tmp_path):
    metrics = {"validation": {"mae": 1, "rmse": 1}, "test": {"mae": 1, "rmse": 1}}
    students = [student_of(value, "hard_labels", i) for i, value in enumerate((0.50, 0.52, 0.51))]
    students += [student_of(value, "distilled", i) for i, value in enumerate((0.30, 0.31, 0.32))]
    content = {"task": "regression", "metric": "mae", "lower_is_better": True, "recipe": "r", "summary": "s"}
    content["data"] = {"name": "d", "outputs": ["a"], "train": 3, "validation": 3, "test": 3, "measured_on": "test"}
    content |= {"teacher": {"name": "t", "parameters": 1, **metrics}, "baseline": metrics, "students": students}
    (tmp_path / "report.json").write_text(json.dumps(content))
    said = task_report.verdict(task_report.read(tmp_path))
    assert "MAE 0.3100 ± 0.0100, better than the labels alone with 0.5100 ± 0.0100" in said
    assert "does not hold 0" in said


@pytest.mark.parametrize(
    ("task", "changes", "said"),
    [
        ("regression", {"cache": {}}, "cache: expected none with the task regression"),
        ("regression", {"labels": {"fraction": 0.5}}, "labels: expected none"),
        ("segmentation", {"bridge": {"name": "subset"}}, "bridge: expected none"),
        ("multi_label", {"teacher": {"load": "wide_cifar100"}}, "teacher.load: expected none"),
        ("multi_label", {"arms": {"a": {"quantize": {}}}}, "arms.a.quantize: expected none"),
        ("multi_label", {"data": {"name": "digits", "groups": "cifar100_coarse"}}, "data.groups: expected the task"),
        ("multi_label", {"training": {"epochs": 1, "label_smoothing": 0.1}}, "no mixing and no label_smoothing"),
        ("regression", {"training": {"epochs": 1, "early_stopping": {}}}, "expected val_loss with the task"),
    ],
)
def test_what_is_of_classes_alone_is_refused(place, task, changes, said):
    with pytest.raises(InputError, match=said):
        asked(place, task, **changes)


def test_a_classification_has_no_file_of_labels():
    with pytest.raises(InputError, match=r"data.labels: expected the task multi_label or regression"):
        recipes.read("demo", ["data.labels=labels.csv"])


@pytest.mark.parametrize(
    ("task", "objective", "said"),
    [
        ("regression", "hinton", "compares probabilities of classes.*Expected mean_squared_logits"),
        ("multi_label", "decoupled", "beside a binary loss labels are independent"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused_before_anything_is_written(place, task, objective, said, tmp_path):
    arm = {"objectives": {"soft": {"name": objective}}}
    with pytest.raises(InputError, match=said):
        pipeline.run(asked(place, task, arms={"distilled": arm}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_of_another_task_is_refused(place, tmp_path):
    with pytest.raises(InputError, match=r"answers once for a whole image.*unet"):
        pipeline.run(asked(place, "segmentation", student={"name": "resnet8"}), tmp_path / "run")
    with pytest.raises(InputError, match=r"outputs \(batch, 4\) for the task multi_label"):
        pipeline.run(
            asked(place, "multi_label", student={"name": f"{place / 'networks.py'}:of_pixels"}), tmp_path / "run"
        )
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, layers.Dense(4, "sigmoid")(layers.Flatten()(inputs))).save(tmp_path / "ends.keras")
    with pytest.raises(InputError, match="Received: a sigmoid or softmax at its end"):
        pipeline.run(asked(place, "multi_label", teacher={"file": str(tmp_path / "ends.keras")}), tmp_path / "run")
