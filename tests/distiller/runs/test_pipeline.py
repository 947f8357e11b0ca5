"""The whole way at a tiny size, interrupted and resumed, and what is refused before anything is written."""

import csv
import json
import os

import keras
import numpy as np
import pytest

import tflite
from distiller import data, models, recipes
from distiller import report as saved
from distiller.recipes.arms import Quantize
from distiller.recipes.training import Training
from distiller.runs import fit, pipeline, quantization
from distiller.runs.checkpoint import EpochCheckpoint

TINY = [
    "seeds=[3]",
    "training.epochs=3",
    "training.steps_per_epoch=4",
    "student={name: wide, options: {widths: [4, 4], stem: 4}}",
    "teacher.train.training.epochs=3",
    "teacher.train.model.options={widths: [8, 8], stem: 4}",
    "export.calibration=40",
    "benchmark={runs: 5, seconds: 0}",
    "arms.quantization_aware.training.epochs=2",
]
PLAIN = ("hard_labels", "distilled")
ARMS = (*PLAIN, "quantization_aware")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run whose folder has a name that is not UTF-8."""
    out = tmp_path_factory.mktemp("demo") / os.fsdecode(b"caf\xe9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["distiller", "run", "demo", "--out", str(out)])
        pipeline.run(recipes.read_run("demo", TINY), out)
    return out


class TestReport:
    @pytest.fixture
    def report(self, finished):
        return json.loads((finished / "report.json").read_text())

    def test_holds_every_student_and_file(self, report):
        students = {(s["name"], s["seed"]) for s in report["students"]}
        assert students == {(n, 3) for n in ARMS}
        files = {(f["student"], f["seed"], f["scheme"]) for f in report["tflite"]}
        floats = {(n, 3, "float32") for n in PLAIN}
        assert files == floats | {(n, s, "int8") for n, s in students}

    def test_accuracies_are_those_of_the_saved_models(self, report, finished):
        test = data.load("digits").only(["3", "5", "6", "8", "9"]).test
        for student in report["students"]:
            model = keras.saving.load_model(finished / f"{student['name']}-{student['seed']}.keras")
            right = np.asarray(model.predict(test.images.astype("float32"), verbose=0)).argmax(-1) == test.labels
            assert student["accuracy"] == pytest.approx(right.mean())
            if student["name"] in PLAIN:  # a quantization-aware model has the ranges of its activations besides
                assert student["parameters"] == model.count_params()

    def test_files_are_what_the_report_says(self, report, finished):
        test = data.load("digits").only(["3", "5", "6", "8", "9"]).test
        for file in report["tflite"]:
            path = finished / file["file"]
            assert file["bytes"] == path.stat().st_size
            assert file["accuracy"] == tflite.evaluate(path, (test.images, test.labels)).accuracy
            assert tflite.inspect(path).is_integer == (file["scheme"] == "int8")
            assert 0 < file["latency_ms"]["median"] <= file["latency_ms"]["p90"]

    def test_students_had_equal_steps(self, report, finished):
        steps = {json.loads((finished / f"stages/{n}-3/result.json").read_text())["steps"] for n in PLAIN}
        assert steps == {12}
        assert report["budget"]["steps"] == 12
        further = {"student": "quantization_aware", "steps": 8, "batch_size": 32, "epochs": 2, "start": "distilled"}
        assert report["budget"]["others"] == [further]
        page = (finished / "report.html").read_text()
        words = "quantization aware: 8 steps of 32 images in 2 epochs after those of distilled"
        assert f"12 steps of 32 images in 3 epochs; {words}" in page

    def test_the_labels_were_few(self, report, finished):
        assert report["data"]["labelled"] == 25
        images = {p.parent.name: json.loads(p.read_text()).get("images") for p in finished.glob("stages/*/result.json")}
        assert images["hard_labels-3"] == 25
        assert images["distilled-3"] == report["data"]["train"]

    def test_metrics_csv_has_every_epoch(self, finished):
        with (finished / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 3 * (1 + 2) + 2
        assert {row["stage"] for row in rows} == {"teacher", *(f"{n}-3" for n in ARMS)}

    def test_run_json_says_where_it_comes_from(self, finished):
        recorded = json.loads((finished / "run.json").read_text())
        assert recorded["recipe"]["seeds"] == [3]
        assert {"keras", "tensorflow", "python"} <= recorded["versions"].keys()
        assert recorded["machine"]["cores"] >= 1
        assert recorded["inputs"].keys() == {"images", "images of the teacher"}

    def test_a_folder_that_is_not_utf8_is_told_by_its_bytes(self, finished):
        """JSON cannot hold half a character, and a page neither."""
        assert saved.read(finished).command.endswith("caf\\udce9'")
        assert not (finished / "run.lock").exists()

    def test_the_page_is_there(self, finished):
        assert (finished / "report.html").stat().st_size > 10_000
        assert len(list((finished / "figures").glob("*.png"))) >= 3


class TestInterruption:
    def test_a_killed_run_resumes_to_the_same_students(self, finished, tmp_path, monkeypatch):
        """Killed in the second epoch of a student; the students equal those of the run that was not."""
        asked = recipes.read_run("demo", [*TINY, "export.schemes=[int8]"])
        names = ("distilled", "quantization_aware")
        recipe, out = asked.model_copy(update={"arms": {name: asked.arms[name] for name in names}}), tmp_path / "run"

        class Killed(BaseException):
            pass

        original = EpochCheckpoint.on_epoch_end

        def kill(callback, epoch, logs=None):
            original(callback, epoch, logs)
            if "distilled-3" in str(callback.folder) and epoch == 1:
                raise Killed

        monkeypatch.setattr(EpochCheckpoint, "on_epoch_end", kill)
        with pytest.raises(Killed):
            pipeline.run(recipe, out)
        monkeypatch.undo()
        assert not (out / "report.json").exists()
        pipeline.run(recipe, out, resume=True)
        for name in (f"{arm}-3" for arm in names):
            a, b = (keras.saving.load_model(folder / f"{name}.keras").get_weights() for folder in (finished, out))
            for x, y in zip(a, b, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)

    def test_resume_of_a_finished_run_trains_nothing(self, finished, monkeypatch):
        monkeypatch.setattr(fit, "fit", None)
        assert pipeline.run(recipes.read_run("demo", TINY), finished, resume=True)["students"]


class TestRefusals:
    """One clear message, exit code 2, and nothing written."""

    def refused(self, command, out, *arguments):
        code, _, errors = command(*arguments, "--out", out)
        assert code == 2
        assert "Traceback" not in errors
        assert not out.exists()
        return errors

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["run", "dmo"], "Did you mean 'demo'"),
            (["run", "demo", "--set", "training.epoch=1"], "Did you mean 'epochs'"),
            (["run", "demo", "--set", "student.name=resnet9"], "Did you mean 'resnet8'"),
            (["run", "demo", "--set", "student.options={widht: 3}"], "widht"),
            (["run", "demo", "--set", "data.classes=[3, 5, eleven]"], "valid string"),
            (["run", "demo", "--set", "data.name=none/here"], "does not exist"),
            (["run", "demo", "--set", "arms.distilled.objectives.soft.name=hintn"], "Did you mean 'hinton'"),
            (["run", "demo", "--set", "arms.distilled.weights={sotf: 1}"], "Did you mean 'soft'"),
            (["run", "demo", "--set", "bridge=null"], "10 classes and the student 5"),
            (["run", "demo", "--set", "teacher={load: wide_cifar10}"], "Did you mean 'wide_cifar100'"),
            (["run", "demo", "--set", "teacher={load: wide_cifar100}", "--set", "bridge={name: probe}"], "same input"),
            (["run", "demo", "--set", "teacher={file: none.keras}", "--set", "bridge={name: probe}"], "does not exist"),
            (["train", "teacher_cifar100", "--data-dir", "none"], "'none' does not exist"),
            (["train", "demo"], "expected kind 'train'"),
            (["run", "demo", "--resume", "--force"], "one of --resume and --force"),
        ],
    )
    def test_wrong_calls(self, command, tmp_path, arguments, message):
        assert message in self.refused(command, tmp_path / "out", *arguments)

    def test_a_folder_of_one_class(self, command, tmp_path):
        (tmp_path / "images" / "cat").mkdir(parents=True)
        errors = self.refused(command, tmp_path / "out", "run", "demo", "--set", f"data.name={tmp_path / 'images'}")
        assert "two or more class folders" in errors

    @pytest.mark.parametrize("damage", ["truncated", "text", "renamed"])
    def test_teacher_files_that_are_no_keras_model(self, command, tmp_path, damage):
        path = tmp_path / "teacher.keras"
        models.build("resnet8", 5, (8, 8, 1), width=4).save(path)
        if damage == "truncated":
            path.write_bytes(path.read_bytes()[:-2000])
        elif damage == "text":
            path.write_text("not a model")
        else:
            path = path.rename(tmp_path / "teacher.h5")
        changes = ["--set", f"teacher={{file: {path}}}", "--set", "bridge=null"]
        assert "is not a Keras model" in self.refused(command, tmp_path / "out", "run", "demo", *changes)

    def test_a_folder_that_holds_a_run(self, command, finished):
        before = (finished / "run.json").read_text()
        code, _, errors = command("demo", "--out", finished)
        assert code == 2
        assert "--resume to go on with it or --force" in errors
        code, _, errors = command("run", "demo", "--set", "training.epochs=9", "--resume", "--out", finished)
        assert code == 2
        assert "another" in errors
        assert (finished / "run.json").read_text() == before

    def test_a_folder_that_holds_other_files_is_left_alone(self, command, tmp_path):
        (tmp_path / "thesis.txt").write_text("years of work")
        code, _, errors = command("demo", "--force", "--out", tmp_path)
        assert code == 2
        assert "other files" in errors
        assert (tmp_path / "thesis.txt").exists()


class TestCommands:
    @pytest.mark.parametrize(
        "name",
        [
            "demo",
            "run",
            "train",
            "distill",
            "quantize",
            "diagnose",
            "convert",
            "compare",
            "inspect",
            "evaluate",
            "benchmark",
            "report",
            "models",
            "objectives",
            "recipes",
        ],
    )
    def test_help(self, command, name):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert "Usage" in out

    def test_models_shows_parameters_and_weights(self, command):
        code, out, _ = command("models")
        assert code == 0
        assert "272,474" not in out  # the count includes moving statistics
        assert f"{models.parameters(models.build('resnet20', 10)):,}" in out
        assert "wide_cifar100" in out

    def test_objectives_and_recipes(self, command):
        assert "hinton" in command("objectives")[1]
        assert "cifar100_to_cifar10" in command("recipes")[1]

    def test_report_prints_the_table(self, command, finished):
        code, out, _ = command("report", finished, "--markdown")
        assert code == 0
        assert "distilled" in out

    def test_convert_evaluate_compare_inspect_benchmark(self, command, finished, tmp_path):
        keras_file, file = finished / "distilled-3.keras", tmp_path / "s.tflite"
        images = ["--data", "digits", "--classes", "3,5,6,8,9"]
        assert (
            command("convert", keras_file, file, "--scheme", "int8", "--labels", "data", *images, "--count", 40)[0] == 0
        )
        assert file.read_bytes() == (finished / "distilled-3-int8.tflite").read_bytes()
        _, out, _ = command("evaluate", file, *images, "--json")
        report = json.loads((finished / "report.json").read_text())
        row = next(f for f in report["tflite"] if f["file"] == "distilled-3-int8.tflite")
        assert json.loads(out)["accuracy"] == row["accuracy"]
        _, out, _ = command("compare", keras_file, file, *images, "--json")
        assert json.loads(out)["agreement"] >= 0.9
        assert json.loads(command("inspect", file, "--json")[1])["bytes"] == file.stat().st_size
        assert json.loads(command("benchmark", file, "--runs", "5", "--json")[1])["results"][0]["runs"] >= 5

    def test_distill_makes_a_run_of_its_options(self, command, tmp_path):
        teacher = tmp_path / "t.keras"
        models.build("wide", 10, (8, 8, 1), widths=(8, 8), stem=4).save(teacher)
        arguments = ["distill", teacher, "resnet8", "--data", "digits", "--epochs", "1", "--batch-size", "500"]
        arguments += ["--option", "width=4"]
        code, out, errors = command(*arguments, "--alone", "--objective", "hinton", "--out", tmp_path / "out")
        assert code == 0, errors
        assert "distilled" in out
        asked = json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]
        assert list(asked["arms"]) == ["distilled"]
        assert asked["arms"]["distilled"]["weights"] == {"labels": 0.1, "hinton": 0.9}
        assert asked["training"]["batch_size"] == 500
        for wrong, message in ((["--objective", "hintn"], "hinton"), (["--bridge", "prob"], "probe")):
            code, _, errors = command(*arguments, *wrong, "--out", tmp_path / "other")
            assert code == 2
            assert message in errors
            assert not (tmp_path / "other").exists()

    def test_distill_trains_on_hard_labels_as_well(self, command, tmp_path, monkeypatch):
        asked = []
        monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
        arguments = ["distill", "wide_cifar100", "resnet8", "--data", "digits", "--objective", "hint:stage2"]
        assert command(*arguments, "--out", tmp_path / "out")[0] == 0
        assert command(*arguments, "--frozen", "--out", tmp_path / "frozen")[0] == 0
        assert [recipe.teacher.frozen for recipe in asked] == [False, True]
        assert list(asked[0].arms) == ["hard_labels", "distilled"]
        assert asked[0].arms["hard_labels"].objectives == {}
        assert asked[0].arms["distilled"].objectives["hint_stage2"]["teacher_layer"] == "stage2"

    @pytest.mark.parametrize("taught", [False, True])
    def test_quantize_writes_an_integer_file(self, command, finished, tmp_path, taught):
        student, file, aware = finished / "distilled-3.keras", tmp_path / "s.tflite", tmp_path / "aware.keras"
        images = ["--data", "digits", "--classes", "3,5,6,8,9", "--epochs", "1", "--batch-size", "100"]
        teacher = ["--teacher", student] if taught else []
        code, out, errors = command("quantize", student, file, *images, *teacher, "--aware", aware)
        assert code == 0, errors
        assert "accuracy on" in out
        assert tflite.inspect(file).is_integer
        names = list("35689")  # the file holds them, as the files of a run do
        assert tflite.labels(file) == tuple(names)
        again = tflite.convert(aware, tmp_path / "again.tflite", scheme="int8", labels=names)
        assert again.bytes == file.stat().st_size

    def test_quantize_refuses_what_does_not_fit(self, command, finished, tmp_path):
        student = finished / "distilled-3.keras"
        for name, message in (("digits", "with --classes, or their groups with --groups"), ("none", "none")):
            code, _, errors = command("quantize", student, tmp_path / "s.tflite", "--data", name)
            assert code == 2
            assert message in errors
        code, _, errors = command("quantize", student, tmp_path / "no" / "s.tflite", "--data", "digits")
        assert code == 2
        assert "does not exist" in errors
        _, _, errors = command("quantize", tmp_path / "none.keras", tmp_path / "s.tflite", "--data", "digits")
        assert "The model file" in errors
        for out, keep, message in (
            (student, "aware.keras", "Expected the path of a .tflite file to write"),
            ("s.tflite", student, "other files to write than to read"),
            ("s.tflite", "aware", "Expected a .keras file for the quantization-aware model"),
        ):
            before = student.read_bytes()
            asked = ["--data", "digits", "--aware", tmp_path / keep]
            code, _, errors = command("quantize", student, tmp_path / out, *asked)
            assert (code, message in errors) == (2, True)
            assert student.read_bytes() == before
        code, _, errors = command("convert", student, student)
        assert (code, "another file to write than the model" in errors) == (2, True)
        for option in ("--temperature", "--soft"):
            code, _, errors = command("quantize", student, tmp_path / "s.tflite", "--data", "digits", option, "0.5")
            assert (code, "Expected --teacher with" in errors) == (2, True)
        asked = ["--scheme", "int8", "--data", "digits", "--classes", "3,5,6,8,9", "--percentile", "90"]
        code, _, errors = command("convert", student, tmp_path / "s.tflite", *asked)
        assert code == 2
        assert "`percentile` only with calibration='percentile'" in errors

    def test_a_missing_model_is_one_message(self, command, tmp_path):
        for arguments in (
            ["inspect", "none.tflite"],
            ["benchmark", "none.tflite"],
            ["convert", "none.keras", tmp_path / "a"],
        ):
            code, _, errors = command(*arguments)
            assert code == 2
            assert "none" in errors
            assert "Traceback" not in errors

    def test_debug_shows_where(self, command):
        code, _, errors = command("--debug", "run", "dmo")
        assert code == 2
        assert "Traceback" in errors


def test_quantization_of_a_student_with_dropout_is_the_same_every_time(tmp_path):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(8, activation="relu")(x))
    keras.Model(inputs, keras.layers.Dense(10)(x)).save(tmp_path / "student.keras")
    plan, digits = Training(epochs=1, batch_size=100, weight_decay=0.0), data.load("digits")
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        quantization.quantize(tmp_path / "student.keras", tmp_path / f"{seed}.tflite", digits, plan, Quantize())
    assert (tmp_path / "1.tflite").read_bytes() == (tmp_path / "2.tflite").read_bytes()


def test_train_writes_a_teacher(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(
        "kind: train\nsummary: small\ndata: {name: digits}\nmodel: {name: resnet8, options: {width: 4}}\n"
        "training: {epochs: 2, steps_per_epoch: 3}\n"
    )
    result = pipeline.train(recipes.read_train(path), tmp_path / "out")
    model = keras.saving.load_model(tmp_path / "out" / "teacher.keras")
    test = data.load("digits").test
    right = model.predict(test.images.astype("float32"), verbose=0).argmax(-1) == test.labels
    assert result["test_accuracy"] == pytest.approx(right.mean())


def test_a_teacher_file_and_a_fitted_bridge(tmp_path):
    """A frozen teacher of other classes, from a file, with one arm that keeps to labelled images."""
    models.build("wide", 7, (8, 8, 1), widths=(8, 8), stem=4).save(tmp_path / "t.keras")
    bridge = "bridge={name: fine_tune, training: {epochs: 1, steps_per_epoch: 3}}"
    changes = [*TINY[:4], "benchmark={runs: 5, seconds: 0}", "export={schemes: [float32]}", bridge]
    changes += ["arms.distilled.unlabelled=false", f"teacher={{file: {tmp_path / 't.keras'}, frozen: true}}"]
    asked = recipes.read_run("demo", changes)
    report = pipeline.run(asked.model_copy(update={"arms": {"distilled": asked.arms["distilled"]}}), tmp_path / "out")
    assert report["teacher"]["bridge"] == "fine_tune"
    assert 0 <= report["teacher"]["accuracy"] <= 1
    result = json.loads((tmp_path / "out" / "stages" / "distilled-3" / "result.json").read_text())
    assert result["images"] == 25
