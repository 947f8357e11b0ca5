"""Table of the step-cost benchmark."""

from pathlib import Path
from typing import Any

from benchmarks.results import lines
from benchmarks.speed.measuring.goals import verdict
from benchmarks.speed.measuring.timing import Ratio, ratio
from benchmarks.speed.workloads import names
from benchmarks.speed.workloads.setting import Setting
from distiller.report.markdown_table import markdown_table

NAME = "step_cost.jsonl"
HEAD = ("step", "compares", "× student", "interval", "ms")
FASTER = (
    ("plain training", names.STUDENT, names.PLAIN_BARE),
    ("logits", "hinton", names.LOGITS_BARE),
    ("logits, frozen teacher", names.FROZEN, names.LOGITS_BARE),
    ("a pair of features", "hint", names.FEATURES_BARE),
    ("a pair of features, frozen teacher", names.FROZEN_HINT, names.FEATURES_BARE),
)
_SETTING = ("student", "teacher", "batch", "precision")


def table(path: Path | None = None) -> str:
    """Markdown tables of the last run of each setting in `path`, the recorded results by default."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    last = {tuple(line["arguments"][key] for key in _SETTING): line["run"] for line in recorded}
    return "\n\n".join(table_of_run([line for line in recorded if line["run"] == run]) for run in last.values())


def speedup_table(path: Path | None = None) -> str:
    """Speed-up of a step over Keras, from the last run of each precision on each machine."""
    recorded = lines.read(lines.RESULTS / NAME if path is None else path)
    usual = Setting()
    pair = {"student": usual.student, "teacher": usual.teacher, "batch": usual.batch}
    needed = {name for _, *both in FASTER for name in both}
    timed: dict[str, dict[str, list[float]]] = {}
    settings: dict[tuple[str, str], str] = {}
    for line in recorded:
        if "places" in line and pair.items() <= line["arguments"].items():
            timed.setdefault(line["run"], {})[line["contestant"]] = line["seconds"]
            if needed <= timed[line["run"]].keys():
                settings[_processor(line), line["arguments"]["precision"]] = line["run"]
    columns = sorted(settings)
    return markdown_table(
        ("step", *(f"{precision}, {processor}" for processor, precision in columns)),
        [(text, *(_times(timed[settings[column]], one, peer) for column in columns)) for text, one, peer in FASTER],
        text=(0,),
    )


def _processor(line: dict[str, Any]) -> str:
    """A processor's name without its maker's additions.

    >>> _processor({"machine": {"processor": "Intel(R) Xeon(R) Processor"}})
    'Intel Xeon'
    """
    return line["machine"]["processor"].replace("(R)", "").removesuffix(" Processor")


def _times(run: dict[str, list[float]], one: str, peer: str) -> str:
    found = ratio(run[peer], run[one])
    return f"{found.median:.2f} ({_interval(found)})"


def table_of_run(run: list[dict[str, Any]]) -> str:
    """Table of a run: a row per workload, a sentence per goal, and how it was measured."""
    return markdown_table(HEAD, rows(run), [f"- {note}" for note in notes(run)])


def rows(run: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row per workload, with its times against plain training of the student in the same rounds."""
    timed = [line for line in run if line["kind"] != "goal"]
    student = next(line["seconds"] for line in timed if line["contestant"] == names.STUDENT)
    return [_row(line, student) for line in timed]


def notes(run: list[dict[str, Any]]) -> list[str]:
    """One sentence per goal, and one on how and where the run was made."""
    return [*(_goal(line) for line in run if line["kind"] == "goal"), _setting(run[0])]


def _row(line: dict[str, Any], student: list[float]) -> tuple[str, ...]:
    found, own = ratio(line["seconds"], student), ratio(line["seconds"], [1.0] * len(student))
    places = line["places"] if isinstance(line["places"], list) else [line["places"] or ""]
    return line["contestant"], ", ".join(places), f"{found.median:.2f}", _interval(found), f"{1000 * own.median:.1f}"


def _interval(found: Ratio) -> str:
    return f"{found.low:.2f} to {found.high:.2f}"


def _goal(line: dict[str, Any]) -> str:
    found = Ratio(**line["ratio"])
    return f"{verdict(found, line['limit'])}: {line['goal']}: {found.median:.3f} ({found.low:.3f} to {found.high:.3f})."


def _setting(line: dict[str, Any]) -> str:
    asked = line["arguments"]
    size, rounds = asked["size"], asked["rounds"]
    return (
        f"A step of {asked['batch']} images of {size}×{size} in {asked['precision']}: {asked['student']} alone, or "
        f"with its teacher {asked['teacher']}; an objective's name is a step of the Distiller with it. Medians "
        f"over {rounds} rounds of {asked['steps']} steps each, in turn; the interval "
        f"{'holds the true median with 95 % or more' if rounds > 5 else 'is that of all rounds'}, and a goal is open "
        f"where its limit is inside. {lines.machine_and_versions(line)}."
    )
