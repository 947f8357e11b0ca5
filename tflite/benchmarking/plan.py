"""Number of runs of a file, and their distribution over rounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from tflite.errors import ModelError
from tflite.utils.arguments import finite, whole


class Options(TypedDict, total=False):
    """The options of `tflite.benchmark`, which explains them, that do not change what it returns."""

    runs: int
    warmup_runs: int
    min_seconds: float
    max_seconds: float
    rounds: int
    precision: float | None
    confidence: float
    inputs: Any
    seed: int
    keep_samples: bool
    profile: bool
    time_limit: float
    memory_limit: int
    progress: Callable[[int, int], None] | None


@dataclass(frozen=True)
class Plan:
    """Length of a measurement; `tflite.benchmark` explains the fields.

    A measurement is made in rounds. Where several files are measured they take turns, one round each, so that a machine
    that becomes slower does so for all; and how much the rounds of one file differ shows how steady the machine is.

    >>> plan = Plan(runs=25, rounds=10)
    >>> [plan.runs_in(i) for i in range(plan.least_rounds)]
    [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]
    """

    runs: int = 50
    warmup_runs: int = 10
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    rounds: int = 10
    precision: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name, least in (("runs", 1), ("warmup_runs", 0), ("rounds", 1)):
            object.__setattr__(self, name, whole(name, getattr(self, name), least))
        for name in ("min_seconds", "max_seconds"):
            object.__setattr__(self, name, finite(name, getattr(self, name), 0.0))
        if self.max_seconds < self.min_seconds:
            raise ModelError(
                f"Expected `max_seconds` of at least `min_seconds`. Received: max_seconds={self.max_seconds}, "
                f"min_seconds={self.min_seconds}"
            )
        for name in ("precision", "confidence"):
            value = getattr(self, name)
            if value is not None and not 0 < finite(name, value) < 1:
                raise ModelError(
                    f"Invalid value for `{name}`. Expected a fraction between 0 and 1, as 0.01 for one percent. "
                    f"Received: {name}={value}"
                )

    @property
    def least_rounds(self) -> int:
        """Rounds before a measurement can end."""
        return min(self.rounds, self.runs)

    @property
    def least_seconds(self) -> float:
        """Measured seconds of a round, at least."""
        return self.min_seconds / self.least_rounds

    @property
    def most_seconds(self) -> float:
        """Measured seconds of a round after which no further run starts."""
        return self.max_seconds / self.least_rounds

    def runs_in(self, number: int) -> int:
        """Runs of a round, at least; the rounds together have `runs`."""
        place = number % self.least_rounds
        return (place + 1) * self.runs // self.least_rounds - place * self.runs // self.least_rounds
