"""A page for each objective, from its docstrings, its defaults and the recorded comparison of families."""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import lines
from distiller import objectives

FAMILIES = "families"
# By what an objective compares.
_WHEN = {
    "logits": "Teacher and student score the same classes, or a bridge maps the teacher's to the student's. Begin "
    "here: no layers are chosen, and stored teacher outputs are small.",
    "features": "Layers of teacher and student that see the image at a similar scale can be named. Add it to an "
    "objective on logits, and keep it where held-out accuracy gains: it costs the teacher's intermediate outputs.",
    "relations": "Teacher and student differ in width or classes: how the samples of a batch lie to one another is "
    "compared, so batches must be large enough to hold related samples.",
}
_HIDDEN = {"name", "trainable", "dtype", "teacher_layer", "student_layer"}


def navigation() -> list[tuple[str, str]]:
    """Titles and paths."""
    return [(kind.__name__, f"objectives/{name}.md") for name, kind in objectives.OBJECTIVES.items()]


def pages() -> Iterator[tuple[str, str]]:
    """The index and a page an objective: path and text."""
    rows = [
        f"| [`{name}`]({name}.md) | {kind.compares} | {_lead(_function(kind))} | {kind.source} |"
        for name, kind in objectives.OBJECTIVES.items()
    ]
    yield (
        "objectives/index.md",
        "\n".join(
            [
                "# Objectives\n",
                "An objective says what the student should match of the teacher. All obey one contract: one loss per "
                "sample, shape `(batch,)`, float32; weights, schedules, sample weights and masks are the Distiller's. "
                "`distiller objectives` prints this table.\n",
                "| name | compares | in short | source |\n| :--- | :--- | :--- | :--- |",
                *rows,
                "",
            ]
        ),
    )
    for name, kind in objectives.OBJECTIVES.items():
        yield f"objectives/{name}.md", _page(name, kind)


def _when(objective: objectives.Objective) -> str:
    """The case that an objective is for, and what it needs of the batches."""
    needs = " It remembers samples, whose ids a batch must give." if objective.needs_ids else ""
    needs += f" A batch holds {objective.fewest} samples or more." if objective.fewest > 1 else ""
    return _WHEN[objective.compares] + needs


def _page(name: str, kind: type) -> str:
    function = _function(kind)
    module = inspect.getdoc(sys.modules[kind.__module__]) or ""
    config = {key: value for key, value in objectives.get(name).get_config().items() if key not in _HIDDEN}
    defaults = "\n".join(f"| `{key}` | `{_short(value)}` |" for key, value in config.items())
    parts = [
        f"# {kind.__name__}\n",
        f"{module.splitlines()[0]}\n",
        f"Source: {_linked(kind.source)}. Compares {kind.compares}. In a recipe and on the command line: `{name}`.\n",
    ]
    parts += ["## When to use\n", f"{_when(objectives.get(name))}\n"]
    if function is not None:
        parts += ["## Formula\n", _described(function)]
    parts += ["## The class\n", _described(kind)]
    if defaults:
        parts += ["## Defaults\n", "| argument | default |\n| :--- | :--- |", f"{defaults}\n"]
    parts += ["## Measured\n", _measured(name)]
    return "\n".join(parts)


def _described(thing: Any) -> str:
    return f"::: {thing.__module__}.{thing.__qualname__}\n    options:\n      heading_level: 3\n"


def _function(kind: type):
    """The pure function beside the class, named as the objective is."""
    module = sys.modules[kind.__module__]
    found = [
        value
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == kind.__module__
        and key.replace("_", "") == kind.__name__.lower()
    ]
    return found[0] if found else None


def _lead(function) -> str:
    text = (inspect.getdoc(function) or "").splitlines()
    return (text[0] if text else "").replace("|", "\\|")


def _short(value: object) -> object:
    return value["class_name"] if isinstance(value, dict) and "class_name" in value else value


def _linked(source: str) -> str:
    """arXiv numbers as links."""
    return re.sub(r"\b(\d{4}\.\d{4,5})\b", r"[\1](https://arxiv.org/abs/\1)", source)


def _measured(name: str) -> str:
    """The recorded lines of the experiment `families` in which this objective taught."""
    recorded = lines.read(Path(lines.RESULTS) / f"{FAMILIES}.jsonl")
    base: dict[str, list[float]] = {}
    own: dict[tuple[str, str], list[float]] = {}
    for line in recorded:
        key = f"{line['budget']['epochs']} epochs, {line['variant']}"
        used = {one.get("name") for one in line["recipe"]["arms"][line["arm"]]["objectives"].values()}
        if line["arm"] == "hard_labels":
            base.setdefault(key, []).append(line["test_accuracy"])
        elif name in used:
            own.setdefault((key, line["arm"]), []).append(line["test_accuracy"])
    if not own:
        return "Not among the methods of the recorded comparison of families; see [Benchmarks](../benchmarks.md).\n"
    rows = []
    for (key, arm), found in own.items():
        mean, alone = sum(found) / len(found), sum(base[key]) / len(base[key])
        rows.append(
            f"| {arm.replace('_', ' ')} | {key} | {100 * mean:.2f} | {100 * alone:.2f} | {100 * (mean - alone):+.2f} "
            f"| {len(found)} |"
        )
    return "\n".join(
        [
            "ResNet-8 on CIFAR-10, test accuracy in percent, mean over seeds, from `benchmarks/results/families.jsonl` "
            "(`python -m benchmarks.run families --data-dir DIR`). Deviations are in [Benchmarks](../benchmarks.md).\n",
            "| arm | budget | test | hard labels | difference | seeds |\n| :--- | :--- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )
