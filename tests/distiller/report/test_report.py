"""The report of a run: what it reads, the numbers of its table, its sentences, figures and page."""

import io
import re
import statistics

import keras
import numpy as np
import pytest
from rich.console import Console
from support.made_reports import DISTILLED, HARD, checked, folder_of, made, with_own_teachers

from distiller import recipes, report
from distiller.data import Dataset, Split
from distiller.errors import InputError
from distiller.report import measure, table
from distiller.report.content import Report
from distiller.runs.folder import RunFolder, write_json
from distiller.runs.summary import summarize


class TestReading:
    def test_folder_and_file_are_the_same(self, tmp_path):
        folder = folder_of(tmp_path, made())
        assert report.read(folder) == report.read(folder / "report.json")

    def test_what_it_does_not_know_is_kept(self, tmp_path):
        found = report.read(folder_of(tmp_path, made(robustness={"noise": 0.8})))
        assert found.further == {"robustness": {"noise": 0.8}}

    def test_a_loss_that_is_no_number_can_be_read(self, tmp_path):
        content = made()
        content["curves"][0]["epochs"][0]["loss"] = float("nan")
        assert np.isnan(report.read(folder_of(tmp_path, content)).curves[0].epochs[0].loss)

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=r"report\.json.*cannot be read: No such file"):
            report.read(tmp_path / "report.json")
        with pytest.raises(InputError, match=r"holds no run: there is no report\.json and no run\.json"):
            report.read(tmp_path)

    def test_a_run_that_is_not_finished(self, tmp_path):
        (tmp_path / "run.json").write_text('{"recipe": {"kind": "run"}, "command": "distiller run demo --resume"}')
        for stage in ("teacher", "hard_labels-0"):
            (tmp_path / "stages" / stage).mkdir(parents=True)
            (tmp_path / "stages" / stage / "result.json").write_text("{}")
        (tmp_path / "stages" / "distilled-0").mkdir()
        with pytest.raises(
            InputError, match=r"is not finished.*Done: hard_labels-0, teacher\. .*: distiller run demo --resume$"
        ):
            report.read(tmp_path)
        (tmp_path / "run.json").write_text('{"recipe": {"kind": "train"}, "command": "distiller train a"}')
        with pytest.raises(InputError, match="a run of `distiller train`, which has no report"):
            report.read(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"recipe": "r"}', "\udcff"])
    def test_not_a_report(self, tmp_path, text):
        (tmp_path / "report.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError, match="is damaged"):
            report.read(tmp_path)

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            (["teacher", "accuracy"], 95.0, r"teacher\.accuracy: .*less than or equal to 1\. Received: 95\.0"),
            (["teacher", "accuracy"], float("nan"), r"teacher\.accuracy"),
            (["students", 1, "accuracy"], "good", r"students\.1\.accuracy: .*Received: 'good'"),
            (["students", 1, "seed"], 0, r"students: expected one entry each\..*hard_labels"),
            (["students"], [], "students: "),
            (["tflite", 0, "student"], "hrad", r"expected one of the students .*Received: 'hrad'"),
            (["tflite", 0, "bytes"], 0, r"tflite\.0\.bytes"),
            (["tflite", 0, "file"], "../../secret", "inside the report's folder"),
            (["tflite", 0, "file"], "/etc/passwd", "inside the report's folder"),
            (["tflite", 0, "latency_ms", "median"], -1, r"latency_ms\.median"),
            (
                ["per_class"],
                [{"student": "distilled", "seed": 0, "accuracy": [1]}],
                "expected 2 accuracies. Received: 1",
            ),
        ],
    )
    def test_impossible_values_name_the_place(self, tmp_path, path, value, message):
        content = made()
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        with pytest.raises(InputError, match=message):
            report.read(folder_of(tmp_path, content))

    def test_a_missing_key_is_named(self, tmp_path):
        content = made()
        del content["teacher"]["accuracy"]
        with pytest.raises(InputError, match=r"teacher\.accuracy is missing"):
            report.read(folder_of(tmp_path, content))


class TestMeasure:
    @pytest.mark.parametrize("n", [2, 3, 10])
    def test_against_numpy(self, n):
        values = np.random.default_rng(n).uniform(0.1, 0.9, n)
        found = measure.Measure.of(values.tolist())
        np.testing.assert_allclose([found.mean, found.deviation], [values.mean(), values.std(ddof=1)], rtol=1e-12)

    def test_one_value_has_no_deviation(self):
        assert measure.Measure.of([0.5]) == measure.Measure(0.5, None, 1)

    def test_equal_values_have_a_deviation_of_zero(self):
        assert measure.percent(measure.Measure.of([0.5, 0.5])) == "50.00 ± 0.00"

    @pytest.mark.parametrize(
        ("count", "text"),
        [(1, "1 B"), (999, "999 B"), (1000, "1.00 kB"), (9_996, "10.0 kB"), (999_600, "1.00 MB"), (2.5e9, "2.50 GB")],
    )
    def test_size(self, count, text):
        assert measure.size(count) == text


class TestTable:
    def test_rows_against_independent_numbers(self):
        rows = report.rows(checked())
        assert [(row.model, row.form) for row in rows] == [
            ("teacher (wide)", "float"),
            ("hard_labels", "float"),
            ("distilled", "float"),
            ("hard_labels", "float32"),
            ("hard_labels", "int8"),
            ("distilled", "float32"),
            ("distilled", "int8"),
        ]
        assert rows[1].accuracy.mean == pytest.approx(statistics.mean(HARD))
        assert rows[1].accuracy.deviation == pytest.approx(np.std(HARD, ddof=1))
        integer = rows[-1]
        assert integer.accuracy.mean == pytest.approx(np.mean(DISTILLED) - 0.002)
        assert integer.latency_ms.mean == pytest.approx(0.81)
        assert integer.latency_ms.deviation == pytest.approx(0.01)
        assert (integer.bytes, integer.has_file, integer.accuracy.n) == (300_001, True, 3)
        assert (rows[1].bytes, rows[1].has_file, rows[1].latency_ms) == (1_000_000, False, None)

    def test_every_teacher_has_a_row(self):
        content = with_own_teachers()
        teachers = [row for row in report.rows(Report.model_validate(content)) if row.is_teacher]
        assert [(row.model, round(row.accuracy.mean, 4)) for row in teachers] == [
            ("teacher (wide)", 0.95),
            ("teacher of distilled", 0.92),
        ]
        lines = report.markdown(Report.model_validate(content)).splitlines()
        assert lines[3] == "| teacher of distilled | float | 92.00 |  |  |  |  |"
        content["teacher"]["accuracy"] = None
        assert [row.model for row in report.rows(Report.model_validate(content)) if row.is_teacher] == [
            "teacher (wide)"
        ]

    def test_settings_of_a_latency_stand_apart(self):
        found = checked(schemes=("int8",), settings=((1, "a desk"), (4, "a phone")))
        rows = report.rows(found)
        assert [table.setting(row) for row in rows[3:5]] == ["1 thread on a desk", "4 threads on a phone"]
        assert "Measured on" in report.markdown(found)
        assert "Measured on" not in report.markdown(checked())

    def test_seeds_that_were_measured_elsewhere_count(self):
        """A file is as accurate and as large wherever it ran; only latencies are apart."""
        content = made(schemes=("int8",))
        for entry in content["tflite"]:
            entry["device"] = "a phone" if entry["seed"] == 2 else "a desk"
        content["tflite"] += [dict(entry, device="a phone") for entry in content["tflite"] if entry["seed"] == 1]
        rows = [row for row in report.rows(Report.model_validate(content)) if row.model == "distilled" and row.has_file]
        assert [row.device for row in rows] == ["a desk", "a phone"]
        for row in rows:
            assert row.accuracy == measure.Measure.of([accuracy - 0.002 for accuracy in DISTILLED])
            assert (row.agreement.n, row.bytes) == (3, 300_001)
        assert [row.latency_ms.n for row in rows] == [2, 2]
        assert [row.latency_ms.mean for row in rows] == pytest.approx([0.805, 0.815])

    def test_one_seed_shows_no_deviation(self):
        found = checked(hard=[0.9], distilled=[0.92])
        assert all(row.accuracy.deviation is None for row in report.rows(found))
        lines = report.markdown(found).splitlines()
        assert not [line for line in lines if "±" in line]
        assert "one seed" in report.markdown(found)

    def test_terminal_and_markdown_agree(self):
        found = checked()
        console = Console(file=io.StringIO(), width=200, color_system=None)
        console.print(report.rich_table(found))
        terminal = [
            [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
            for line in console.file.getvalue().splitlines()
            if line.startswith(("│", "┃"))
        ]
        lines = [line for line in report.markdown(found).splitlines() if line.startswith("|")]
        text = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        assert terminal == [text[0], *text[2:]]
        assert all(note in console.file.getvalue() for note in table.notes(found))

    def test_names_are_not_markup(self):
        content = made()
        content["teacher"]["name"] = "[red]a|b*c[/red]\n<b>"
        found = Report.model_validate(content)
        console = Console(file=io.StringIO(), width=200, color_system=None)
        console.print(report.rich_table(found))
        assert "[red]a|b*c[/red]" in console.file.getvalue()
        assert r"\[red\]a\|b\*c\[/red\] \<b\>" in report.markdown(found)

    def test_names_are_folded_where_a_terminal_is_narrow(self):
        content = made()
        for entry in (*content["students"], *content["tflite"], *content["curves"]):
            key = "student" if "student" in entry else "name"
            entry[key] = f"quantization_aware_{entry[key]}"
        console = Console(file=io.StringIO(), width=80, color_system=None)
        console.print(report.rich_table(Report.model_validate(content)))
        lines = console.file.getvalue().splitlines()
        assert max(map(len, lines)) <= 80
        assert "…" not in console.file.getvalue()
        models = "".join(line.split("│")[1].replace(" ", "") for line in lines if line.startswith("│"))
        for name in ("hardlabels", "distilled"):  # in floating point, and in two files
            assert models.count(f"quantizationaware{name}") == 3

    def test_names_are_whole_off_a_terminal(self, command, tmp_path):
        content = made()
        content["teacher"]["name"] = "a teacher of many words [and brackets]"
        code, told, _ = command("report", folder_of(tmp_path, content))
        assert code == 0
        assert "│ teacher (a teacher of many words [and brackets]) │" in told
        assert told.endswith(f"\nReport: {tmp_path / 'report.html'}\n")

    def test_without_files(self):
        found = checked(schemes=())
        assert len(report.rows(found)) == 3
        assert not any("file" in note for note in table.notes(found))


def test_a_summary_has_the_bridge_and_the_teacher_of_each_arm(tmp_path):
    recipe = recipes.read_run("label_spaces", ["seeds=[0, 1]", "export.schemes=[int8]"])
    split = Split(np.zeros((20, 32, 32, 3), "uint8"), np.arange(20, dtype="int32") % 10)
    dataset = Dataset("cifar10", split, split, split, tuple("abcdefghij"))
    folder = RunFolder(tmp_path)
    write_json(folder.run_file, {"versions": {}, "machine": {}, "commit": None, "command": ""})
    own = {"probe": 0.76, "auxiliary_head": None, "features": None, "ensemble": 0.86}

    def put(stage, result):
        folder.stage(stage).mkdir(parents=True)
        write_json(folder.stage(stage) / "result.json", result)

    put("teacher-held_out", {"teachers": dict.fromkeys(recipe.arms)})
    times = {"median_ms": 1, "p90_ms": 1, "runs": 1, "threads": 1, "device": "a desk"}
    times["operators"] = [{"name": "y", "type": "ADD", "mean_ms": 0.25, "share": 1, "calls": 1, "delegated": False}]
    for seed in (0, 1):
        put(f"benchmark-seed-{seed}", {f"{name}-{seed}-int8.tflite": times for name in recipe.arms})
        for name in recipe.arms:
            epoch = {"epoch": 1, "loss": 1, "val_accuracy": 0.5}
            put(f"{name}-{seed}", {"labelled": 4, "epochs": [epoch], "seconds": 1, "provenance": {}})
            put(f"export-{name}-{seed}", {"bytes": {"int8": 10}})
            answers = {"accuracy": 0.8, "agreement": 1}
            taught = {"teacher_accuracy": own.get(name, 0.84 + 0.02 * seed), "agreement": None}
            put(f"test-{name}-{seed}", answers | taught | {"tflite": {"int8": answers | {"mean_lsb": 0}}})
    teacher = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    content = summarize(recipe, dataset, folder, teacher)
    assert content["teacher"]["accuracy"] == pytest.approx(0.85)
    assert {student["name"]: student["bridge"] for student in content["students"]} == {
        "hard_labels": None,
        "probe": "probe",
        "fine_tune": "fine_tune",
        "auxiliary_head": "auxiliary_head",
        "both": "fine_tune and auxiliary_head",
        "features": "none",
        "ensemble": "ensemble",
    }
    found = Report.model_validate(content)
    assert {(one.type, one.mean_ms) for file in found.tflite for one in file.operators} == {("ADD", 0.25)}
    assert [row.model for row in report.rows(found) if row.is_teacher][1:] == [
        "teacher of probe",
        "teacher of ensemble",
    ]
    assert "4.00 points above its teacher (76.00 %)" in report.verdict(found)


def test_a_run_that_chose_settings_says_what_it_was_measured_on(tmp_path):
    content = made()
    content["data"]["measured_on"] = "validation"
    found = report.read(folder_of(tmp_path, content))
    count = f"{found.data.test:,}"
    assert f"on {count} validation images" in report.verdict(found)
    assert f"Accuracy on {count} validation images" in table.markdown(found)
    assert "test images" not in report.verdict(found) + table.markdown(found)
