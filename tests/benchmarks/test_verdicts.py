"""Sentences of the documents follow from the recorded lines."""

import json
import shutil

import pytest
from scipy import stats

from benchmarks import tables
from benchmarks.documents import comparison, verdicts
from benchmarks.results import lines

LINE = {"variant": "5 labels a class", "seed": 0, "machine": "a", "teacher": {"accuracy": 0.95}}
FILE = {"scheme": "int8", "accuracy": 0.9, "bytes": 9, "device": "a desk", "latency_ms": {"median": 1.0}}


def test_wall_time_compares_seeds_of_one_machine_and_as_many_processes():
    def line(seed, seconds, machine="a", **more):
        return {"seed": seed, "seconds": seconds, "machine": machine, "test_accuracy": 0.5} | more

    alone = [line(0, 10.0), line(1, 30.0), line(2, 10.0)]
    taught = [line(0, 20.0), line(1, 40.0), line(2, 99.0, "b"), line(3, 99.0)]
    slow = [line(0, 27.0), line(1, 99.0, processes=2)]
    assert (
        comparison.wall_time({"hard_labels": alone, "taught": taught}) == " Wall time: 1.5 times that of hard labels."
    )
    assert comparison.wall_time({"hard_labels": alone, "taught": taught, "slow": slow}) == (
        " Wall time: 1.5 to 2.7 times that of hard labels."
    )
    assert comparison.wall_time({"hard_labels": alone, "elsewhere": [line(0, 9.0, "b")]}) == ""


def test_a_pair_in_words_has_its_wall_time(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    more = {"tflite": [FILE], "data": {"labelled": 50}, "budget": {"steps": 40, "batch_size": 50}}
    made = (("hard_labels", 0.7, 10.0), ("distilled", 0.8, 13.0))
    found = [
        {**LINE, **more, "test_accuracy": accuracy, "arm": arm, "seconds": seconds} for arm, accuracy, seconds in made
    ]
    for line in found:
        line["recipe"] = {"arms": {line["arm"]: {"objectives": {"soft": {}}}}}
    lines.append(tmp_path / "demo.jsonl", found)
    assert "40 steps of 50 images. Wall time: 1.3 times that of hard labels." in tables.table("demo")


@pytest.mark.parametrize(
    ("experiment", "verdict", "change"),
    [
        ("quantization", "integers", lambda line: [f.update(accuracy=f["accuracy"] - 0.01) for f in line["tflite"]]),
        (
            "label_spaces",
            "few_labels",
            lambda line: line.update(test_accuracy=line["test_accuracy"] - line["seed"] / 99),
        ),
        ("bridge_weights", "settings", lambda line: line.update(last_validation_accuracy=line["seed"])),
        ("zoo_agreement", "exactness", lambda line: line.update(agreement=0.5)),
    ],
)
def test_a_verdict_that_the_lines_do_not_say_is_found(tmp_path, monkeypatch, experiment, verdict, change):
    """A sentence goes stale with its numbers, as a table does."""
    told = verdicts.paragraph(verdict)
    (tmp_path / "README.md").write_text(f"<!-- verdict: {verdict} -->\n{told}\n<!-- end -->\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "DOCUMENTS", ("README.md",))
    assert tables.main(["--check"]) == 0
    results = tmp_path / "results"
    shutil.copytree(lines.RESULTS, results)
    monkeypatch.setattr(lines, "RESULTS", results)
    monkeypatch.setattr(tables.figures, "find_stale", list)
    found = lines.read(results / f"{experiment}.jsonl")
    for line in found[::2]:
        change(line)
    (results / f"{experiment}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    assert tables.main(["--check"]) == 1


def test_verdicts_call_a_winner_only_where_the_interval_does():
    """Of the recorded lines, by SciPy: int4 from images alone is far behind, and three seeds do not show it."""
    found = lines.by_arm(lines.read(lines.RESULTS / "quantization.jsonl"), "20 % of the labels")

    def of(arm):
        return [file["accuracy"] for line in found[arm] for file in line["tflite"] if file["scheme"] == "int4"]

    low, high = stats.ttest_ind(of("int4_labels"), of("longer"), equal_var=False).confidence_interval(0.95)
    assert low < 0 < high
    said = " ".join(verdicts.paragraph("integers").split())
    assert f"At int4 the quantization-aware student is not told apart (−{-100 * low:.2f} to +{100 * high:.2f})" in said
    assert "best" not in said


def test_a_copy_that_was_fitted_again_is_called_so():
    said = " ".join(verdicts.paragraph("few_labels").split())
    assert "−2.51 to a copy of the teacher that was fitted again with a fifth" in said
    assert said.count("fitted again") == 1


def test_a_line_has_no_accuracy_of_another_arms_teacher():
    """Once every arm had that of the recipe's bridge, also where its own is another one."""
    smoothed = [
        line for line in lines.read(lines.RESULTS / "label_smoothing.jsonl") if line["arm"].startswith("smoothed")
    ]
    assert len(smoothed) == 6
    assert all(line["teacher"]["accuracy"] is None and line["agreement"] is None for line in smoothed)
    for path in lines.RESULTS.glob("*.jsonl"):
        found = [line for line in lines.read(path) if "arm" in line and "recipe" in line]
        of_recipe = {
            (line["variant"], line["seed"], line["teacher"]["accuracy"]) for line in found if _bridge(line) is None
        }
        for line in found:
            if _bridge(line) not in (None, line["recipe"].get("bridge")) and line["teacher"]["accuracy"] is not None:
                assert (line["variant"], line["seed"], line["teacher"]["accuracy"]) not in of_recipe


def _bridge(line):
    return line["recipe"]["arms"][line["arm"]].get("bridge")
