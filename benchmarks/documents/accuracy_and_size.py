"""Figure of accuracy against size: our int8 students on hard labels and distilled, and MLPerf Tiny's files."""

from typing import Any

from benchmarks import experiments
from benchmarks.documents.comparison import BASELINE
from benchmarks.documents.grid import validation
from benchmarks.files import mlperf_tiny
from benchmarks.results import lines
from distiller.report.measure import Measure

# Experiments with students for CIFAR-10 on all labels, and their variants; of a network's students the last count.
SOURCES = (
    ("cifar100_to_cifar10", ("all labels",)),
    ("larger_students", ("ResNet-20, 16 epochs", "MobileNetV2 0.5, 16 epochs")),
    ("strong_teacher", ("ResNet-8, 60 epochs", "ResNet-8, 120 epochs")),
    ("converged", ("ResNet-8", "ResNet-20", "MobileNetV2 0.5")),
)
NETWORKS = {"resnet8": "ResNet-8", "resnet20": "ResNet-20", "mobilenet_v2": "MobileNetV2 0.5"}
HARD, TAUGHT, THEIRS = "hard labels", "distilled", "MLPerf Tiny's files"

Numbers = dict[str, Any]


def accuracy_by_size() -> Numbers:
    """Kind of training → [network, kilobytes, test accuracy in percent, milliseconds] of its int8 files.

    The distilled students are those of the arm that is best on the validation split; accuracies are means over seeds.
    Milliseconds are those of the last run of `benchmarks.files.mlperf_tiny`, where files of all networks take turns.
    """
    theirs = [line for line in mlperf_tiny.last_lines() if line["scheme"] == "int8"]
    if not theirs:
        return {}
    times = theirs[-1]["beside"]
    students: dict[str, dict[str, list[Any]]] = {}
    for name, variants in SOURCES:
        recorded = lines.read(lines.RESULTS / f"{name}.jsonl")
        known = experiments.read(name).variants if recorded else {}
        for variant in (variant for variant in variants if variant in known):
            arms = lines.by_arm(recorded, variant)
            taught = {arm: found for arm, found in arms.items() if found[0]["recipe"]["arms"][arm]["objectives"]}
            if BASELINE in arms and taught:
                best = max(taught, key=lambda arm: validation(taught[arm]).mean)
                network = arms[BASELINE][0]["recipe"]["student"]["name"]
                ms = round(times[network]["median"], 4)
                points = {HARD: [*_point(arms[BASELINE]), ms], TAUGHT: [*_point(arms[best]), ms]}
                students[NETWORKS[network]] = points
    if not students:
        return {}
    return {
        HARD: [[network, *points[HARD]] for network, points in students.items()],
        TAUGHT: [[network, *points[TAUGHT]] for network, points in students.items()],
        THEIRS: [
            [
                line["network"].removeprefix("MLPerf Tiny's "),
                line["bytes"] / 1000,
                100 * line["test_accuracy"],
                round(line["latency_ms"]["median"], 4),
            ]
            for line in theirs
        ],
    }


def _point(found: list[dict[str, Any]]) -> list[float]:
    files = [file for line in found for file in line["tflite"] if file["scheme"] == "int8"]
    accuracy = Measure.of([file["accuracy"] for file in files]).mean
    return [files[-1]["bytes"] / 1000, round(100 * accuracy, 4)]


def draw_by_size(numbers: Numbers) -> Any:
    """Accuracy against kilobytes; a line leads from each student on hard labels to the distilled one."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from distiller.report import canvas

    looks = canvas.looks(list(numbers))
    figure, axes = canvas.blank(
        "Accuracy and size",
        "CIFAR-10, int8 files on all 10,000 test images; milliseconds of one thread, all timed in one run",
        key=looks,
    )
    for (name, size, low, _), (_, _, high, ms) in zip(numbers[HARD], numbers[TAUGHT], strict=True):
        axes.plot([size, size], [low, high], color=canvas.FAINT, linewidth=1.2, zorder=1)
        _say(axes, f"{name}\n{ms:.2g} ms", size, high)
    for name, size, accuracy, ms in numbers[THEIRS]:
        _say(axes, f"{name}\n{ms:.2g} ms", size, accuracy)
    for kind, points in numbers.items():
        for _, size, accuracy, _ in points:
            axes.plot(size, accuracy, color=looks[kind].colour, marker=looks[kind].marker, markersize=8)
    sizes = [point[1] for points in numbers.values() for point in points]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 2.3)
    ticks = [size for size in (62.5, 125, 250, 500, 1000, 2000) if min(sizes) / 1.3 <= size <= max(sizes) * 2.3]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("kilobytes of the int8 file (logarithmic)", size=canvas.TEXT)
    axes.set_ylabel("test accuracy (%)", size=canvas.TEXT)
    return figure


def _say(axes: Any, text: str, size: float, accuracy: float) -> None:
    axes.annotate(text, (size, accuracy), xytext=(8, -4), textcoords="offset points", size=8.5, va="center")
