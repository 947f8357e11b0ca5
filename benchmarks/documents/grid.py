"""Table of an experiment over temperatures and weights of the soft targets."""

from typing import Any

from benchmarks import experiments
from benchmarks.documents.comparison import BASELINE
from benchmarks.results import lines
from distiller.report.markdown_table import Row, markdown_table
from distiller.report.measure import Measure, percent

Grid = dict[tuple[float, float], list[dict[str, Any]]]


def table(name: str) -> str:
    """Markdown table of an experiment: a row per temperature, a column per weight, validation accuracy in percent.

    The test accuracy is given for the best on the validation split alone.
    """
    recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
    return "\n\n".join(
        _of_variant(variant, found)
        for variant in experiments.read(name).variants
        if (found := [line for line in recorded if line["variant"] == variant])
    )


def grid(recorded: list[dict[str, Any]]) -> Grid:
    """(temperature, weight of the soft targets) → lines of that arm."""
    found: Grid = {}
    for line in recorded:
        arm = line["recipe"]["arms"][line["arm"]]
        if arm["objectives"]:
            found.setdefault((arm["objectives"]["soft"]["temperature"], arm["weights"]["soft"]), []).append(line)
    return found


def validation(found: list[dict[str, Any]]) -> Measure:
    """Validation accuracy after the last epoch, over seeds."""
    return Measure.of([line["last_validation_accuracy"] for line in found])


def test(found: list[dict[str, Any]]) -> Measure:
    """Test accuracy over seeds."""
    return Measure.of([line["test_accuracy"] for line in found])


def _of_variant(variant: str, recorded: list[dict[str, Any]]) -> str:
    cells = grid(recorded)
    temperatures, weights = (sorted({key[i] for key in cells}) for i in (0, 1))
    rows: list[Row] = [
        (f"{t:g}", *(percent(validation(cells[t, w])) if (t, w) in cells else "" for w in weights))
        for t in temperatures
    ]
    best = max(cells, key=lambda key: validation(cells[key]).mean)
    alone = [line for line in recorded if line["arm"] == BASELINE]
    budget = recorded[0]["budget"]
    sentence = (
        f"- {variant}: best on the validation split is temperature {best[0]:g} with weight {best[1]:g}, on the test "
        f"split {percent(test(cells[best]))} % where hard labels have {percent(test(alone))} % (validation: "
        f"{percent(validation(alone))} %). {len(cells[best])} seed{'s' * (len(cells[best]) > 1)}; every student: "
        f"{budget['steps']:,} steps of {budget['batch_size']} images."
    )
    return markdown_table(("temperature", *(f"weight {w:g}" for w in weights)), rows, [sentence], text=())
