"""The figures of a teacher's diagnosis."""

from pathlib import Path

from matplotlib.ticker import NullLocator

from distiller.report import canvas
from distiller.report.canvas import INK, TEXT, Picture
from distiller.teachers.diagnosis.measurement import Diagnosis


def draw(found: Diagnosis, folder: Path) -> list[Picture]:
    """Write `reliability.png` and `soft_targets.png` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [reliability(found, folder / "reliability.png"), soft_targets(found, folder / "soft_targets.png")]


def reliability(found: Diagnosis, path: Path) -> Picture:
    """Accuracy by confidence, Guo et al. 2017, figure 1: on the diagonal where a teacher is as right as it says."""
    calibration = found.calibration
    look = canvas.looks(["accuracy", "share of the images"])
    subtitle = (
        f"{found.teacher}, {found.labelled:,} images; expected calibration error {100 * calibration.error:.1f} points"
    )
    figure, axes = canvas.blank("Accuracy by confidence", subtitle, key=look)
    one, other = look.values()
    for place in calibration.bins:
        middle, width = 50 * (place.low + place.high), 100 * (place.high - place.low)
        axes.bar(middle, 100 * place.accuracy, 0.92 * width, color=one.colour)
        share = 100 * place.samples / found.labelled
        axes.plot(
            middle, share, marker=other.marker, color=other.colour, markersize=7, markeredgecolor="white", clip_on=False
        )
    axes.plot([0, 100], [0, 100], color=INK, linestyle=(0, (5, 3)), linewidth=1.3)
    axes.set(xlim=(0, 100), ylim=(0, 102))
    axes.set_xlabel("confidence (%)", size=TEXT)
    axes.set_ylabel("%", size=TEXT)
    side = "below" if calibration.confidence > found.accuracy else "above"
    return canvas.save(
        figure,
        path,
        title="Calibration",
        caption="Accuracy of the images in each range of confidence, and how many there are. On the dashed line a "
        "teacher is right as often as it says.",
        alt=f"Bar chart of accuracy by confidence, on the whole {side} the diagonal: mean confidence "
        f"{100 * calibration.confidence:.1f} %, accuracy {100 * found.accuracy:.1f} %.",
    )


def soft_targets(found: Diagnosis, path: Path) -> Picture:
    """Entropy of the soft targets by temperature."""
    targets = found.soft_targets
    temperatures = [one.temperature for one in targets.entropies]
    shares = [100 * one.share for one in targets.entropies]
    subtitle = f"{found.teacher}, {found.samples:,} images, {found.classes} classes"
    figure, axes = canvas.blank("Entropy of the soft targets by temperature", subtitle)
    (look,) = canvas.looks(["entropy"]).values()
    axes.plot(temperatures, shares, color=look.colour, marker=look.marker, linewidth=2, markersize=7)
    axes.axvline(targets.suggested_temperature, color=INK, linestyle=(0, (5, 3)), linewidth=1.3, zorder=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(temperatures, [f"{temperature:g}" for temperature in temperatures])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 102)
    axes.set_xlabel("temperature", size=TEXT)
    axes.set_ylabel("entropy (% of log C)", size=TEXT)
    spoken = ", ".join(
        f"{share:.0f} % at {temperature:g}" for temperature, share in zip(temperatures, shares, strict=True)
    )
    return canvas.save(
        figure,
        path,
        title="Soft targets",
        caption="Entropy of the soft targets as a share of the largest possible: at 0 they are labels, at 100 they say "
        f"nothing. The dashed line is the suggested temperature, {targets.suggested_temperature:g}.",
        alt=f"Line chart of the entropy of the soft targets: {spoken}.",
    )
