"""Figures are drawn from the recorded results, and one that was drawn from others is found."""

import pytest

from benchmarks.documents import accuracy_and_size, figures
from benchmarks.results import lines

STUDENT = {
    "experiment": "label_spaces",
    "data": {"train": 45000},
    "teacher": {"accuracy": 0.9},
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path / "results")
    made = {
        ("4 % of the labels", "hard_labels"): [0.50, 0.54],
        ("4 % of the labels", "fine_tune"): [0.70, 0.70],
        ("all labels", "hard_labels"): [0.80, 0.84],
        ("all labels", "fine_tune"): [0.85, 0.87],
        # Better on the test split, and not on the validation split.
        ("4 % of the labels", "both"): [0.71, 0.71],
        ("all labels", "both"): [0.86, 0.88],
        # Better on both, with all labels alone.
        ("all labels", "ensemble"): [0.95, 0.95],
    }
    better = {"ensemble": 0.95, "fine_tune": 0.8}
    found = [
        {**STUDENT, "variant": variant, "arm": arm, "test_accuracy": accuracy, "seed": seed}
        | {"last_validation_accuracy": better.get(arm, 0.6)}
        for (variant, arm), accuracies in made.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    lines.append(lines.RESULTS / "label_spaces.jsonl", found)
    return tmp_path


def test_accuracy_is_drawn_against_the_number_of_labels(results):
    found = figures.accuracy_by_labels("label_spaces")
    # A deviation of two values is their difference over √2.
    assert found["hard_labels"] == [[1800, 52.0, pytest.approx(2.8284)], [45000, 82.0, pytest.approx(2.8284)]]
    assert found.keys() == {"hard_labels", "fine_tune", "teacher"}
    assert found["fine_tune"][0] == [1800, 70.0, 0.0]
    assert found["teacher"] == [[1800, 90.0, None], [45000, 90.0, None]]


def test_a_figure_of_other_numbers_is_stale(results):
    folder = results / "figures"
    assert figures.find_stale(folder) == ["few_labels"]
    assert figures.draw_stale(folder) == ["few_labels"]
    assert figures.find_stale(folder) == figures.draw_stale(folder) == []
    more = {**STUDENT, "variant": "all labels", "arm": "fine_tune", "test_accuracy": 0.83, "seed": 2}
    more["last_validation_accuracy"] = 0.8
    lines.append(lines.RESULTS / "label_spaces.jsonl", [more])
    assert figures.find_stale(folder) == ["few_labels"]


def test_a_grid_is_a_curve_a_weight(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)

    def line(temperature, weight, accuracy):
        arm = {"objectives": {"soft": {"temperature": temperature}}, "weights": {"soft": weight}}
        return {"arm": "taught", "recipe": {"arms": {"taught": arm}}, "last_validation_accuracy": accuracy}

    alone = {"arm": "hard_labels", "recipe": {"arms": {"hard_labels": {"objectives": {}}}}}
    found = [line(4.0, 0.9, 0.75), line(1.0, 0.9, 0.7), line(1.0, 0.5, 0.65)]
    lines.append(tmp_path / "grid.jsonl", [*found, {**alone, "last_validation_accuracy": 0.6}])
    assert figures.accuracy_by_temperature("grid") == {
        "weight 0.5": [[1.0, 65.0]],
        "weight 0.9": [[1.0, 70.0], [4.0, 75.0]],
        "hard labels": 60.0,
    }
    figures.draw_by_temperature(figures.accuracy_by_temperature("grid")).savefig(tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 10_000


def test_accuracy_against_size_has_three_kinds_of_points(tmp_path, monkeypatch):
    """Of the arms with a teacher the one that is best on the validation split, and all times of one run."""
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    arms = {"hard_labels": {"objectives": {}}, "a": {"objectives": {"soft": {}}}, "b": {"objectives": {"soft": {}}}}
    recipe = {"student": {"name": "resnet8"}, "arms": arms}

    def student(arm, seed, accuracy, held_out):
        file = {"scheme": "int8", "accuracy": accuracy, "bytes": 94000, "latency_ms": {"median": 9.0}}
        found = {"variant": "all labels", "arm": arm, "seed": seed, "recipe": recipe, "tflite": [file]}
        return found | {"last_validation_accuracy": held_out}

    made = [student("hard_labels", 0, 0.80, 0.8), student("hard_labels", 1, 0.84, 0.8)]
    made += [student("a", 0, 0.86, 0.9), student("b", 0, 0.89, 0.85)]
    lines.append(tmp_path / "cifar100_to_cifar10.jsonl", made)
    assert accuracy_and_size.accuracy_by_size() == {}
    theirs = {"sha256": "x", "network": "MLPerf Tiny's ResNet-8", "scheme": "int8", "bytes": 98000}
    theirs |= {"test_accuracy": 0.87, "latency_ms": {"median": 0.04}, "beside": {"resnet8": {"median": 0.05}}}
    lines.append(tmp_path / "mlperf_tiny.jsonl", [theirs])
    found = accuracy_and_size.accuracy_by_size()
    assert found == {
        "hard labels": [["ResNet-8", 94.0, 82.0, 0.05]],
        "distilled": [["ResNet-8", 94.0, 86.0, 0.05]],
        "MLPerf Tiny's files": [["ResNet-8", 98.0, 87.0, 0.04]],
    }
    axes = accuracy_and_size.draw_by_size(found).axes[0]
    assert [text.get_text() for text in axes.texts] == ["ResNet-8\n0.05 ms", "ResNet-8\n0.04 ms"]
