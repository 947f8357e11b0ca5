"""What speaks against a teacher, in plain words."""

import math

from distiller.teachers.diagnosis.calibration import Calibration
from distiller.teachers.diagnosis.gap import Gap, better_than_chance
from distiller.teachers.diagnosis.mutual_information import Information
from distiller.teachers.diagnosis.smoothing import Smoothing

FAR_OFF = 0.1  # expected calibration error; a rule of thumb


def concerns(
    accuracy: float,
    classes: int,
    samples: int,
    information: Information,
    smoothing: Smoothing,
    calibration: Calibration,
    gap: Gap | None,
) -> tuple[str, ...]:
    """One sentence for each thing that speaks against the teacher, and what to do about it; none where nothing does."""
    found = []
    if not better_than_chance(accuracy, classes, samples):
        found.append(
            f"It is right for {accuracy:.1%} of {samples:,} samples, no more than guessing: it has nothing to teach, "
            "or its classes are in another order than the labels."
        )
    if smoothing.verdict == "likely":
        found.append(
            "It was likely trained with label smoothing, and such a teacher tells less of how classes resemble each "
            "other: train it without, or distil at temperature 1."
        )
    if information.nats <= math.log(2):
        found.append(
            f"Through random views its logits tell no more of an image than one of two classes ({information.nats:.2f} "
            "nats of mutual information): there is little besides the labels to learn from it."
        )
    if gap is not None and gap.student.accuracy is not None and gap.student.accuracy >= accuracy:
        found.append(
            f"The student is as good ({gap.student.accuracy:.1%}) as the teacher ({accuracy:.1%}): look for a better "
            "teacher."
        )
    if gap is not None and gap.assistant_parameters is not None:
        times = gap.teacher.parameters / gap.student.parameters
        found.append(
            f"It has {times:.0f} times the student's parameters. If the student gains little, distil an assistant of "
            f"about {gap.assistant_parameters:,} parameters first, and the student from that (Mirzadeh et al. 2020)."
        )
    if calibration.error > FAR_OFF:
        side = "over" if calibration.confidence > accuracy else "under"
        best = calibration.temperature
        mend = "" if best is None else f"; temperature {best:.2f} would mend its own probabilities"
        found.append(
            f"It is {side}confident: its mean confidence is {calibration.confidence:.1%}, its accuracy {accuracy:.1%}"
            f"{mend}."
        )
    return tuple(found)
