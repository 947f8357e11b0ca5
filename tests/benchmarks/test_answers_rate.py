"""Rates of answers in words: medians over the rounds, efficiencies, and what a million images cost."""

from benchmarks.results import lines
from benchmarks.speed import answers_rate, ray_overhead


def test_figures_are_medians_of_the_last_run(tmp_path, monkeypatch):
    setting = {"teacher": "t", "image": [32, 32, 3], "classes": 100, "machine": {"processor": "P", "cores": 2}}
    rates = {0: (90.0, 100.0, 300.0), 1: (95.0, 99.0, 99.5), 2: (180.0, 185.0, 90.0), 4: (150.0, 160.0, 170.0)}
    made = [
        {"workers": workers, "images_a_second": rate, "run": "b", **setting}
        for workers, all in rates.items()
        for rate in all
    ]
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    lines.append(tmp_path / answers_rate.NAME, [{**made[0], "images_a_second": 1.0, "run": "a"}, *made])
    assert answers_rate.table().splitlines() == [
        "- One process of one thread without Ray: 100 answers a second.",
        "- 1 worker of Ray: 99 answers a second, 0.99 times that of 1 such process.",
        "- 2 workers of Ray: 180 answers a second, 0.90 times that of 2 such processes.",
        "- 4 workers of Ray, simulated on 2 cores: 160 answers a second, 0.80 times that of 2 such processes.",
        # 10⁴ seconds; 100 numbers of 2 bytes, or 21 of 2 and 20 classes of 1; 3072 bytes an image
        "- A million images: 2.78 hours of a core; 0.2 GB in float16, 0.1 GB with the best 20 logits; 3 GB are read.",
        "- 100 million, ten machines: 13.9 hours, 20 GB; 6 MB a second are read from the common disk, 0 written.",
        "- t, images of 32×32×3; P, 2 cores.",
    ]


def test_ray_beside_processes(tmp_path, monkeypatch):
    recipe = {"seeds": [0, 1, 2], "training": {"epochs": 4}}
    made = {"recipe": recipe, "machine": {"processor": "P", "cores": 2}, "processes": 2, "run": "b"}
    times = {"processes": (90.0, 100.0, 300.0), "ray": (100.0, 110.0, 120.0)}
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    found = [{"kind": kind, "seconds": s, **made} for kind, all in times.items() for s in all]
    lines.append(tmp_path / ray_overhead.NAME, found)
    assert "3 students of 4 epochs each: 100 s in 2 processes, 110 s by Ray, 1.10 times" in ray_overhead.table()
