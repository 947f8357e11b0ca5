"""Table of the experiment on integer files."""

from typing import Any

from benchmarks import experiments
from benchmarks.results import lines
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, percent

NAME = "quantization"
# The student in floating point that had the same training as the quantization-aware ones.
FLOAT = "longer"
HEAD = ("student", "file", "test, file", "against floating point", "agreement", "bytes", "seeds")
_WORDS = {
    "distilled": "distilled",
    FLOAT: "distilled, one epoch longer",
    "int8_labels": "quantization-aware, labels",
    "int8_distilled": "quantization-aware, distilled",
    "int8_distilled_tfmot": "quantization-aware, distilled, tfmot",
    "int4_labels": "quantization-aware, labels",
    "int4_distilled": "quantization-aware, distilled",
}


def table() -> str:
    """One row per student and file; integer files of students in floating point are from images alone.

    "Against floating point" is in points, the mean over seeds of the file's accuracy minus that of the float32 file of
    the student that was trained for as many epochs in floating point; "agreement" is that of the file with its
    Keras model.
    """
    recorded = lines.read(lines.RESULTS / f"{NAME}.jsonl")
    out = []
    for variant in experiments.read(NAME).variants:
        found = lines.by_arm(recorded, variant)
        if FLOAT not in found:
            continue
        cells: list[Row] = []
        for arm in experiments.read(NAME).recipe_of(variant, tiny=False).arms:
            for scheme in sorted({f["scheme"] for line in found.get(arm, ()) for f in line["tflite"]}, key=_order):
                cells.append(_row(arm, scheme, found[arm], _files(found[FLOAT], "float32")))
        budget, data = found["distilled"][0]["budget"], found["distilled"][0]["data"]
        out.append(markdown_table(HEAD, cells))
        out.append(
            f"{variant} ({data['labelled']:,} labelled images), {budget['steps']:,} steps of {budget['batch_size']} "
            f"images for the distilled student, and {found[FLOAT][0]['epochs'][-1]['epoch']:.0f} epoch more for the "
            "others; files of students in floating point take their ranges from 500 images."
        )
    return "\n\n".join(out)


def _order(scheme: str) -> int:
    return ("float32", "int8", "int4").index(scheme)


def _files(found: list[dict[str, Any]], scheme: str) -> dict[int, dict[str, Any]]:
    """Seed → the file of that scheme."""
    return {line["seed"]: file for line in found for file in line["tflite"] if file["scheme"] == scheme}


def _row(arm: str, scheme: str, found: list[dict[str, Any]], base: dict[int, dict[str, Any]]) -> tuple[str, ...]:
    files = _files(found, scheme)
    against = Measure.of([file["accuracy"] - base[seed]["accuracy"] for seed, file in files.items()])
    spread = "" if against.deviation is None else f" ± {100 * against.deviation:.2f}"
    return (
        _WORDS[arm],
        scheme,
        percent(Measure.of([file["accuracy"] for file in files.values()])),
        f"{100 * against.mean:+.2f}{spread}",
        f"{Measure.of([file['agreement'] for file in files.values()]).mean:.4f}",
        f"{next(iter(files.values()))['bytes']:,}",
        str(len(files)),
    )
