"""The figures of a report, as many as it has numbers for."""

from pathlib import Path

from distiller.report import accuracies, canvas, curves, tradeoffs
from distiller.report.canvas import Picture
from distiller.report.content import Report
from distiller.report.table import rows, setting, student_names

FOLDER = "figures"


def draw(report: Report, folder: Path) -> list[Picture]:
    """Write PNG files into `folder`: learning curves, accuracy, accuracy against size and against latency.

    Each setting (threads and device) in which latency was measured has a figure of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    look = canvas.looks(list(dict.fromkeys([*student_names(report), *(c.name for c in report.curves)])))
    learning = curves.draw(report, look, folder / "learning_curves.png")
    pictures = [learning] if learning else []
    pictures.append(accuracies.draw(report, look, folder / "accuracy.png"))
    files = [row for row in rows(report) if row.has_file and not row.is_teacher]
    if files:
        pictures.append(tradeoffs.by_size(report, files, look, folder / "accuracy_size.png"))
    for i, place in enumerate(dict.fromkeys(setting(row) for row in files)):
        measured = [row for row in files if setting(row) == place]
        name = "accuracy_latency.png" if i == 0 else f"accuracy_latency_{i + 1}.png"
        pictures.append(tradeoffs.by_latency(report, measured, look, folder / name, place))
    return pictures
