"""Goals for the cost of a step of the Distiller, and verdicts on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.speed.measuring.timing import Ratio, ratio
from benchmarks.speed.workloads import names


@dataclass(frozen=True)
class Goal:
    """`workload` takes at most `limit` times as long as `others` together."""

    text: str
    workload: str
    others: tuple[str, ...]
    limit: float


_FEATURES = "a step on one pair of features ≤ 0.75 × that of keras.distillation"
_LOGITS = "a step on logits ≤ 1.00 × that of keras.distillation"
_HALF = "a step on logits ≤ 1 / 2 of that of keras.distillation, bare layers"
_TWO_FIFTHS = "a step on one pair of features ≤ 1 / 2.5 of that of keras.distillation, bare layers"
GOALS = (
    Goal(_LOGITS, "hinton", (names.LOGITS,), 1.0),
    Goal(f"{_LOGITS}, bare layers", "hinton", (names.LOGITS_BARE,), 1.0),
    Goal(_FEATURES, "hint", (names.FEATURES,), 0.75),
    Goal(f"{_FEATURES}, bare layers", "hint", (names.FEATURES_BARE,), 0.75),
    Goal(
        "plain training ≤ 1 / 1.6 of that of bare layers",
        names.STUDENT,
        (names.PLAIN_BARE,),
        1 / 1.6,
    ),
    Goal(_HALF, "hinton", (names.LOGITS_BARE,), 1 / 2),
    Goal(_TWO_FIFTHS, "hint", (names.FEATURES_BARE,), 1 / 2.5),
    Goal(f"{_HALF}, frozen teacher", names.FROZEN, (names.LOGITS_BARE,), 1 / 2),
    Goal(f"{_TWO_FIFTHS}, frozen teacher", names.FROZEN_HINT, (names.FEATURES_BARE,), 1 / 2.5),
    Goal("a step on stored answers ≤ 1.05 × the student's own", names.STORED, (names.STUDENT,), 1.05),
    Goal("a quantization-aware step ≤ 1.3 × the student's own", names.AWARE, (names.STUDENT,), 1.3),
    Goal("a quantization-aware step ≤ 1.2 × the student's own", names.AWARE, (names.STUDENT,), 1.2),
    Goal("a batch ≤ 1 / 3 of the student's own step", names.BATCHES, (names.STUDENT,), 1 / 3),
    Goal(
        "a batch with stored answers ≤ 1 / 3 of the student's own step",
        names.STORED_BATCHES,
        (names.STUDENT,),
        1 / 3,
    ),
    Goal(
        "a step on logits ≤ 1.05 × (the student's own + the teacher's forward)",
        "hinton",
        (names.STUDENT, names.TEACHER),
        1.05,
    ),
)


def verdict(found: Ratio, limit: float) -> str:
    """ "met" or "missed" where the whole interval is on one side of the limit, else "open".

    >>> verdict(Ratio(0.98, 0.97, 1.0), limit=1.0), verdict(Ratio(0.98, 0.97, 1.01), limit=1.0)
    ('met', 'open')
    """
    return "met" if found.high <= limit else "missed" if found.low > limit else "open"


def judge(seconds: Mapping[str, Sequence[float]]) -> list[tuple[Goal, Ratio]]:
    """Goals whose workloads were timed, with the measured ratio; `seconds` as of `timing.in_turn`."""
    return [
        (goal, ratio(seconds[goal.workload], *(seconds[other] for other in goal.others)))
        for goal in GOALS
        if {goal.workload, *goal.others} <= seconds.keys()
    ]
