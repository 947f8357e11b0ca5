"""Concerns about a teacher, in plain words."""

import math
from collections.abc import Sequence

from distiller.teachers.diagnosis.by_class import ClassAccuracy
from distiller.teachers.diagnosis.calibration import Calibration
from distiller.teachers.diagnosis.gap import Gap
from distiller.teachers.diagnosis.mutual_information import Information
from distiller.teachers.diagnosis.smoothing import Smoothing
from distiller.utils.chance import better_than_chance

FAR_OFF = 0.1  # expected calibration error; a rule of thumb
# A class that a teacher hardly ever knows: half of what guessing gets right, or less, of so many samples or more.
NEVER, FEWEST = 0.5, 10
NAMED = 5


def concerns(
    accuracy: float,
    chance: float,
    samples: int,
    weakest: Sequence[ClassAccuracy],
    classes: int,
    information: Information,
    smoothing: Smoothing,
    calibration: Calibration,
    gap: Gap | None,
) -> tuple[str, ...]:
    """One sentence for each thing that speaks against the teacher, and what to do about it; none where nothing does.

    `chance` is the accuracy that needs no look at an image, and `weakest` the classes, weakest first.
    """
    found = []
    if not better_than_chance(accuracy, chance, samples):
        found.append(
            f"It is right for {accuracy:.1%} of {samples:,} samples, no more than guessing (one answer to all of them: "
            f"{chance:.1%}): it has nothing to teach, or its classes are in another order than the labels, or these "
            "are too uneven to tell."
        )
    missed = [one for one in weakest if one.samples >= FEWEST and one.accuracy <= NEVER / classes]
    if missed:
        named = ", ".join(f"{one.name} ({one.accuracy:.1%} of {one.samples:,})" for one in missed[:NAMED])
        more = f" and {len(missed) - NAMED} more" if len(missed) > NAMED else ""
        found.append(
            f"It hardly ever knows {named}{more}, less often than by guessing: only labels teach a student these."
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
