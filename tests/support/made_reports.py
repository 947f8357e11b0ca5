"""Reports made up for tests, with numbers that can be checked by hand."""

import json

from distiller.report.content import Report

HARD, DISTILLED = [0.910, 0.914, 0.909], [0.930, 0.933, 0.931]


def made(hard=HARD, distilled=DISTILLED, schemes=("float32", "int8"), settings=((1, "a desk"),), **changes):
    """The content of a report with one seed for each accuracy given; int8 loses 0.2 points."""
    runs = [("hard_labels", i, a) for i, a in enumerate(hard)] + [("distilled", i, a) for i, a in enumerate(distilled)]
    students = [
        {
            "name": name,
            "seed": seed,
            "accuracy": accuracy,
            "validation_accuracy": accuracy,
            "parameters": 250_000,
            "multiply_adds": 40_000_000,
            "agreement": accuracy - 0.01,
            "seconds": 75.0,
        }
        for name, seed, accuracy in runs
    ]
    files = [
        {
            "student": name,
            "seed": seed,
            "scheme": scheme,
            "file": f"{name}-{seed}-{scheme}.tflite",
            "bytes": 1_010_000 if scheme == "float32" else 300_000 + seed,
            "accuracy": accuracy - (0.002 if scheme == "int8" else 0),
            "agreement": 0.99,
            "mean_lsb": 0.4 if scheme == "int8" else None,
            "latency_ms": {"median": 0.8 + 0.01 * seed, "p90": 0.9},
            "runs": 100,
            "threads": threads,
            "device": device,
        }
        for name, seed, accuracy in runs
        for scheme in schemes
        for threads, device in settings
    ]
    curves = [
        {
            "name": name,
            "seed": seed,
            "epochs": [
                {"epoch": e, "loss": 1 / e, "accuracy": 0.5, "val_accuracy": accuracy - 0.3 / e, "soft": 0.1}
                for e in range(1, 6)
            ],
        }
        for name, seed, accuracy in runs
    ]
    return {
        "recipe": "cifar",
        "summary": "A student for a phone",
        "data": {"name": "cifar10", "classes": ["cat", "dog"], "train": 900, "labelled": 450, "validation": 100}
        | {"test": 10_000},
        "budget": {"steps": 500, "batch_size": 64, "epochs": 5, "seeds": [0, 1, 2]},
        "teacher": {
            "name": "wide",
            "accuracy": 0.95,
            "parameters": 9_000_000,
            "multiply_adds": 10**9,
            "bridge": "head",
        },
        "students": students,
        "tflite": files,
        "curves": curves,
        "versions": {"keras": "3.15.0"},
        "machine": {"processor": "a desk", "cores": 2},
        "commit": "c0ffee",
        "command": "distiller run cifar",
    } | changes


def folder_of(tmp_path, content):
    (tmp_path / "report.json").write_text(json.dumps(content))
    return tmp_path


def checked(**options):
    return Report.model_validate(made(**options))


def with_own_teachers():
    """The distilled students have a bridge of their own, and the recipe's teacher is another."""
    content = made()
    for student in content["students"]:
        if student["name"] == "distilled":
            student |= {"bridge": "probe", "teacher_accuracy": 0.90 + 0.02 * student["seed"]}
    return content
