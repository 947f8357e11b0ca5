"""A diagnosis for a person: what was looked at, what was found, what that means."""

from typing import TYPE_CHECKING

from distiller.teachers.diagnosis.by_class import ClassAccuracy

if TYPE_CHECKING:
    from distiller.teachers.diagnosis.measurement import Diagnosis

WEAKEST = 5


def rows(found: "Diagnosis") -> list[tuple[str, str, str]]:
    """Each aspect with what was found and what that means."""
    calibration, information, targets = found.calibration, found.mutual_information, found.soft_targets
    side = "over" if calibration.confidence > found.accuracy else "under"
    entropies = ", ".join(f"{one.share:.0%}" for one in targets.entropies)
    temperatures = ", ".join(f"{one.temperature:g}" for one in targets.entropies)
    strength = found.smoothing.strength
    lines = [
        ("accuracy", f"{found.accuracy:.2%}", f"of {found.labelled:,} labelled images, {found.classes} classes"),
        (
            "trained with label smoothing",
            found.smoothing.verdict + ("" if strength is None else f", of about {strength:.2f}"),
            found.smoothing.reason,
        ),
        (
            "mutual information",
            f"{information.nats:.2f} nats",
            f"{information.share:.0%} of the most there could be; 0.69 is what one of two classes tells. "
            f"Mean of {len(information.pairs)} pairs of classes, {information.draws} views an image",
        ),
        (
            "expected calibration error",
            f"{100 * calibration.error:.1f} points",
            f"{side}confident: mean confidence {calibration.confidence:.1%}",
        ),
        ("negative log-likelihood", f"{calibration.nll:.3f}", _mended(found)),
        ("entropy of soft targets", entropies, f"of log C, at temperatures {temperatures}"),
        ("distillation temperature", f"{targets.suggested_temperature:g}", targets.reason),
        *_weak([one for one in found.by_class[:WEAKEST] if one.accuracy < 1]),
    ]
    return lines if found.gap is None else [*lines, *_gap(found)]


def _mended(found: "Diagnosis") -> str:
    calibration = found.calibration
    if calibration.temperature is None:
        return "no temperature makes it smallest: every answer is right, or the logits say nothing of the labels"
    return f"{calibration.nll_at_temperature:.3f} at temperature {calibration.temperature:.2f}, which is the smallest"


def _weak(classes: list[ClassAccuracy]) -> list[tuple[str, str, str]]:
    if not classes:
        return [("weakest classes", "none", "every answer is right")]
    return [
        (
            "" if place else "weakest classes",
            f"{one.accuracy:.1%}",
            f"{one.name}; most often taken for {one.mistaken_for} ({one.samples} images)",
        )
        for place, one in enumerate(classes)
    ]


def _gap(found: "Diagnosis") -> list[tuple[str, str, str]]:
    assert found.gap is not None
    large, small = found.gap.teacher, found.gap.student
    reached = "not trained yet, or of other classes" if small.accuracy is None else f"accuracy {small.accuracy:.2%}"
    pairs = [
        ("parameters", large.parameters, small.parameters),
        ("multiply-adds", large.multiply_adds, small.multiply_adds),
    ]
    sizes = [
        ("capacity gap", f"{many / few:.1f} times", f"the student's {what}: {many:,} against {few:,}")
        for what, many, few in pairs
        if many is not None and few
    ]
    return [*sizes, ("student", "", reached)]
