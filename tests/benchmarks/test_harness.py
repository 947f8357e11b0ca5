"""Experiments are recorded once, survive a kill, and the documents hold what was recorded."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import experiments, run, tables
from benchmarks.results import lines
from distiller import recipes
from distiller.runs import pipeline

LINE = {
    "experiment": "demo",
    "variant": "5 labels a class",
    "arm": "distilled",
    "seed": 0,
    "machine": {"processor": "a processor", "cores": 2},
    "recipe": {"arms": {"distilled": {"objectives": {"soft": {}}}}},
    "teacher": {"accuracy": 0.95},
}


def recorded(accuracy, latency=0.5, device="one CPU", size=33000):
    file = {"scheme": "int8", "accuracy": accuracy - 0.01, "bytes": size, "latency_ms": {"median": latency}}
    return {**LINE, "test_accuracy": accuracy, "tflite": [{**file, "device": device}]}


def only(patch, *arms):
    """Have the demo's experiment run these arms alone."""
    one = experiments.read("demo").model_copy(update={"arms": {"5 labels a class": [*arms]}})
    patch.setattr(experiments, "read", lambda _: one)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Two arms of the demo's experiment in its tiny mode, one seed after the other."""
    folder = tmp_path_factory.mktemp("tiny")
    arguments = ["demo", "--tiny", "--work", str(folder / "work"), "--results", str(folder / "results")]
    with pytest.MonkeyPatch.context() as patch:
        only(patch, "hard_labels", "distilled")
        assert run.main([*arguments, "--seeds", "1"]) == 0
        assert run.main(arguments) == 0
    return folder, arguments


@pytest.fixture
def tiny(ran, monkeypatch):
    only(monkeypatch, "hard_labels", "distilled")
    return ran


def test_a_line_a_student(tiny):
    folder, _ = tiny
    found = lines.read(folder / "results" / "demo.jsonl")
    assert {(line["arm"], line["seed"]) for line in found} == {
        (a, s) for a in ("hard_labels", "distilled") for s in (0, 1)
    }
    for line in found:
        assert line["best_validation_accuracy"] == max(epoch["val_accuracy"] for epoch in line["epochs"])
        assert line["last_validation_accuracy"] == line["epochs"][-1]["val_accuracy"]
        assert line["recipe"]["training"]["epochs"] == len(line["epochs"]) == 2
        assert {"keras", "tensorflow"} <= line["versions"].keys()
        assert line["seconds"] > 0


def test_a_student_is_the_same_without_the_others(tiny, tmp_path, monkeypatch):
    """The student of a seed is the same without the students of other seeds and without other arms."""
    folder, arguments = tiny
    only(monkeypatch, "hard_labels")
    assert run.main([*arguments[:2], "--seeds", "0", "--work", str(tmp_path), "--results", str(tmp_path)]) == 0
    whole = {lines.key_of(line): line for line in lines.read(folder / "results" / "demo.jsonl")}
    found = lines.read(tmp_path / "demo.jsonl")
    assert {(line["arm"], line["seed"]) for line in found} == {("hard_labels", 0)}
    for line in found:
        assert line["epochs"][-1]["loss"] == pytest.approx(whole[lines.key_of(line)]["epochs"][-1]["loss"], rel=1e-4)


def test_what_is_recorded_is_not_run_again(tiny, monkeypatch, capsys):
    _, arguments = tiny
    monkeypatch.setattr(pipeline, "run", None)
    assert run.main(arguments) == 0
    assert "recorded already" in capsys.readouterr().out


def test_an_arm_that_is_recorded_is_left_out_of_a_new_run(tiny, tmp_path, monkeypatch):
    folder, arguments = tiny
    results = tmp_path / "results"
    results.mkdir()
    found = (folder / "results" / "demo.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in found if (json.loads(line)["arm"], json.loads(line)["seed"]) != ("distilled", 1)]
    assert len(kept) == len(found) - 1
    (results / "demo.jsonl").write_text("".join(kept))

    class Asked(Exception):
        pass

    def ask(recipe, out, **_):
        raise Asked(list(recipe.arms), recipe.seeds)

    monkeypatch.setattr(pipeline, "run", ask)
    with pytest.raises(Asked) as asked:
        run.main(["demo", "--tiny", "--work", str(tmp_path / "anew"), "--results", str(results)])
    assert asked.value.args == (["distilled"], [0, 1])
    with pytest.raises(Asked) as asked:  # a folder that holds a run goes on as it was started
        run.main([*arguments[:-1], str(results)])
    assert asked.value.args == (["hard_labels", "distilled"], [0, 1])


def test_an_arm_brings_those_it_goes_on_with():
    recipe = recipes.read_run("demo")
    arms = dict(recipe.arms)
    for name, start in (("taught", "hard_labels"), ("aware", "taught")):
        arms[name] = recipe.arms["distilled"].model_copy(update={"start": start})
    recipe = recipe.model_copy(update={"arms": arms})
    assert run.with_starts(recipe, {"aware"}) == {"aware", "taught", "hard_labels"}
    assert run.with_starts(recipe, {"distilled"}) == {"distilled"}


def test_after_a_kill_while_recording_the_table_is_the_same(tiny, tmp_path):
    """The last line is cut short: it is made again, from the stages that are done."""
    folder, arguments = tiny
    results = tmp_path / "results"
    shutil.copytree(folder / "results", results)
    path = results / "demo.jsonl"
    whole = lines.read(path)
    path.write_text(path.read_text()[:-100])
    assert run.main([*arguments[:-1], str(results)]) == 0
    assert sorted(lines.read(path), key=json.dumps) == sorted(whole, key=json.dumps)


# The experiment of the fixture, in a process of its own.
PROCESS = """
import sys
from benchmarks import experiments, run
if __name__ == "__main__":
    one = experiments.read("demo").model_copy(update={"arms": {"5 labels a class": ["hard_labels", "distilled"]}})
    experiments.read = lambda _: one
    sys.exit(run.main(sys.argv[1:]))
"""


def test_killed_while_it_trains_it_goes_on_and_ends_with_the_same_table(tiny, tmp_path, monkeypatch):
    """After the first epoch of the first student."""
    folder, arguments = tiny
    work, results = tmp_path / "work", tmp_path / "results"
    (tmp_path / "process.py").write_text(PROCESS)
    arguments = [*arguments[:2], "--work", str(work), "--results", str(results)]
    command = [sys.executable, str(tmp_path / "process.py"), *arguments]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tables.ROOT)}) as process:
        until = time.monotonic() + 300
        while not any(len(file.read_text().splitlines()) > 1 for file in work.rglob("metrics.csv")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert lines.read(results / "demo.jsonl") == []
    assert run.main(arguments) == 0
    assert table_of(results, monkeypatch) == table_of(folder / "results", monkeypatch)


def table_of(results, monkeypatch):
    """The cells of the demo's table without what differs from run to run: milliseconds, and the time of trainings."""
    monkeypatch.setattr(lines, "RESULTS", results)
    text = re.sub(r" Wall time: [\d.]+ times that of hard labels\.", "", tables.table("demo"))
    rows = [row.split("|") for row in text.splitlines() if "milliseconds" not in row]
    kept = [place for place, name in enumerate(rows[0]) if "ms" not in name]
    return [[row[place] for place in kept] if len(row) > 1 else row for row in rows]


def test_the_key_of_a_student_does_not_depend_on_its_company():
    both = recipes.read_run("demo")
    alone = both.model_copy(update={"seeds": [1], "arms": {"distilled": both.arms["distilled"]}})
    assert lines.key(both, "distilled", 1) == lines.key(alone, "distilled", 1)
    assert lines.key(both, "distilled", 1) != lines.key(both, "distilled", 2)
    longer = recipes.read_run("demo", ["training.epochs=31"])
    assert lines.key(both, "distilled", 1) != lines.key(longer, "distilled", 1)


def test_tiny_results_are_not_recorded_as_results(capsys):
    with pytest.raises(SystemExit) as end:
        run.main(["demo", "--tiny"])
    assert end.value.code == 2
    assert "--results" in capsys.readouterr().err


def test_an_unknown_experiment_has_the_nearest(capsys):
    assert run.main(["dmo"]) == 2
    assert "Did you mean 'demo'" in capsys.readouterr().err


@pytest.mark.parametrize("name", experiments.names())
def test_every_experiment_is_valid_in_both_modes(name):
    experiment = experiments.read(name)
    for variant in experiment.variants:
        assert experiment.recipe_of(variant, tiny=False) != experiment.recipe_of(variant, tiny=True)


def test_a_table_has_mean_and_sample_deviation(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    lines.append(tmp_path / "demo.jsonl", [recorded(0.90), recorded(0.92), recorded(0.97)])
    row = tables.table("demo").splitlines()[2]
    # Mean 0.93; deviation sqrt((0.03² + 0.01² + 0.04²) / 2) = 0.0361.
    assert "| 93.00 ± 3.61 | 92.00 ± 3.61 | 95.00 | 33,000 |" in row
    assert row.endswith("| 3 |")


def test_bytes_and_milliseconds_are_those_of_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    one, other = recorded(0.90, 9.0, "another", 32000), recorded(0.92, 0.5)
    lines.append(tmp_path / "demo.jsonl", [{**one, "seed": 0}, {**other, "seed": 2}])
    rows = tables.table("demo").splitlines()
    assert rows[2].endswith("| 33,000 | 0.500 | 2 |")
    assert rows[-1] == "- Bytes and milliseconds are those of the files of seed 2 on one CPU, one thread."


def test_a_pair_says_how_sure_its_gain_is(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    more = {"data": {"labelled": 50}, "budget": {"steps": 40, "batch_size": 50}}
    arms = {"hard_labels": {"objectives": {}}, "distilled": {"objectives": {"soft": {}}}}
    made = {"hard_labels": (0.70, 0.72, 0.74), "distilled": (0.80, 0.84, 0.88)}
    found = [
        {**recorded(accuracy), **more, "arm": arm, "recipe": {"arms": arms}}
        for arm, accuracies in made.items()
        for accuracy in accuracies
    ]
    lines.append(tmp_path / "demo.jsonl", found)
    rows = tables.table("demo").splitlines()
    assert "| 84.00 ± 4.00 | 83.00 ± 4.00 | 95.00 |" in rows[3]
    # 0.84 − 0.72 = 0.12 over √(0.04² + 0.02²) = 0.0447; 0.84 − 0.95; 0.83 − 0.84.
    assert (
        "+12.00 points (95 % interval +3.69 to +20.31; 2.7 combined deviations), against its teacher -11.00, and as "
        "int8 against itself -1.00" in rows[-2]
    )


def test_an_experiment_without_lines_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    assert tables.table("demo") == tables.table("step_cost") == "Not recorded yet."


def test_arms_are_compared_with_hard_labels_in_combined_deviations(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    made = {"hard_labels": [0.70, 0.72, 0.74], "probe": [0.71, 0.72, 0.76], "fine_tune": [0.80, 0.84, 0.88]}
    more = {
        "variant": "20 % of the labels",
        "seconds": 90.0,
        "data": {"labelled": 9000},
        "budget": {"steps": 2109, "batch_size": 64},
        "recipe": {"arms": {"probe": {"bridge": {"name": "probe"}}, "fine_tune": {"bridge": None}}},
    }
    found = [
        {**LINE, **more, "arm": arm, "test_accuracy": a, "last_validation_accuracy": a - 0.01, "tflite": []}
        for arm, accuracies in made.items()
        for a in accuracies
    ]
    lines.append(tmp_path / "label_spaces.jsonl", found)
    rows = tables.table("label_spaces").splitlines()
    # 0.84 − 0.72 = 0.12 over √(0.04² + 0.02²) = 0.0447.
    assert "| fine tune | 83.00 ± 4.00 | 84.00 ± 4.00 | +12.00 (+3.69 to +20.31) | +2.7 |  | 1.5 | 3 |" in rows[4]
    assert "| 72.00 ± 2.00 |  |  |" in rows[2]
    assert "best on the validation split is fine tune, on the test split +12.00 points" in rows[-1]
    assert "(95 % interval +3.69 to +20.31; 2.7 combined deviations) and -11.00 against its teacher." in rows[-1]
    assert "2,109 steps of 64 images" in rows[-1]
    assert "By the interval ahead of hard labels: fine tune; not told apart from them: probe." in rows[-1]


def test_minutes_of_several_machines_are_not_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    more = {"variant": "20 % of the labels", "arm": "probe", "seconds": 90.0, "last_validation_accuracy": 0.7}
    found = [{**recorded(0.7), **more, "machine": {"processor": name}} for name in ("one", "another")]
    lines.append(tmp_path / "label_spaces.jsonl", found)
    assert tables.table("label_spaces").splitlines()[2].endswith("|  | 2 |")


def test_published_accuracies_stand_beside_those_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    made = {"hard_labels": [0.38, 0.40, 0.42], "logits": [0.43, 0.45, 0.47], "logits_and_similarity": [0.50]}
    more = {
        **{"variant": "ResNet-56 to ResNet-20", "seconds": 240.0, "teacher": {"accuracy": 0.6234}},
        "budget": {"steps": 2812, "batch_size": 64},
        "recipe": {"teacher": {"train": {"training": {"epochs": 10}}}, "training": {"epochs": 4}},
    }
    found = [
        {**LINE, **more, "arm": arm, "test_accuracy": a, "last_validation_accuracy": a + 0.01, "tflite": []}
        for arm, accuracies in made.items()
        for a in accuracies
    ]
    lines.append(tmp_path / "published_pair.jsonl", found)
    rows = tables.table("published_pair").splitlines()
    assert "| teacher |  | 62.34 |" in rows[2]
    assert "| 72.34 |" in rows[2]
    assert "| hard labels | 41.00 ± 2.00 | 40.00 ± 2.00 |  |  |  | 4.0 | 3 | 69.06 |  |" in rows[3]
    # 70.66 − 69.06 in RepDistiller's table; here 0.05 over √2 · 0.02.
    assert "| 45.00 ± 2.00 | +5.00 (+0.47 to +9.53) | +1.8 |  | 4.0 | 3 | 70.66 | +1.60 |" in rows[4]
    assert "| 50.00 | +10.00 |  |  | 4.0 | 1 |  |  |" in rows[5]
    assert "the teacher trained 10 epochs, every student 2,812 steps of 64 images (4 epochs)" in rows[-1]
    assert "By the interval ahead of hard labels: logits." in rows[-1]


def test_integer_files_are_compared_with_the_float_student_of_the_same_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    made = {
        "distilled": ("int8", [0.70, 0.72]),
        "longer": ("float32", [0.75, 0.77]),
        "int8_labels": ("int8", [0.74, 0.78]),
    }
    found = [
        {
            **{"variant": "20 % of the labels", "arm": arm, "seed": seed, "epochs": [{"epoch": 1.0}]},
            **{"budget": {"steps": 2109, "batch_size": 64}, "data": {"labelled": 9000}},
            "tflite": [{"scheme": scheme, "accuracy": accuracy, "agreement": 0.99, "bytes": 95872}],
        }
        for arm, (scheme, accuracies) in made.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    lines.append(tmp_path / "quantization.jsonl", found)
    rows = tables.table("quantization").splitlines()
    # Means of (0.74 − 0.75, 0.78 − 0.77) and of (−0.05, −0.05), deviations 0.01·√2 and 0.
    assert "| distilled | int8 | 71.00 ± 1.41 | -5.00 ± 0.00 | 0.9900 | 95,872 | 2 |" in rows
    assert "| quantization-aware, labels | int8 | 76.00 ± 2.83 | +0.00 ± 1.41 | 0.9900 | 95,872 | 2 |" in rows


def test_a_variant_that_does_not_exist_has_the_nearest(capsys):
    assert run.main(["demo", "--variant", "5 labels"]) == 2
    assert "Did you mean '5 labels a class'" in capsys.readouterr().err


def test_documents_hold_what_was_recorded():
    assert tables.main(["--check"]) == 0


def test_a_stale_document_is_found(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("<!-- table: demo -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "DOCUMENTS", ("README.md",))
    assert tables.main(["--check"]) == 1
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 0
    assert "old" not in (tmp_path / "README.md").read_text()


# An experiment that is planned, and of which no student is trained yet, has no lines.
RECORDED = [name for name in experiments.names() if (lines.RESULTS / f"{name}.jsonl").exists()]


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_what_the_experiment_asks(name):
    """Otherwise its command would train other students, and the table would take the mean of both."""
    experiment = experiments.read(name)
    found = lines.read(lines.RESULTS / f"{name}.jsonl")
    seeds = sorted({line["seed"] for line in found})
    asked = [experiment.recipe_of(variant, tiny=False, seeds=seeds) for variant in experiment.variants]
    keys = {lines.key(recipe, arm, seed) for recipe in asked for arm in recipe.arms for seed in recipe.seeds}
    assert found
    assert set(RECORDED) >= {"cifar100_to_cifar10", "families", "larger_students", "label_spaces"}
    assert {lines.key_of(line) for line in found} <= keys
