"""Errors that a person can mend. The command line prints their message alone.

ValueError
└── InputError      the call or its input is wrong                  exit code 2
    └── NoBridgeError   teacher and student have other classes
RuntimeError
└── WorkError       the call was right and the work failed          exit code 1
"""


class InputError(ValueError):
    """The call or its input is wrong; the message says what was expected and what was received."""


class NoBridgeError(InputError):
    """A teacher and a student of other classes, and no bridge; `advice` says how the caller names one."""

    def __init__(self, teacher: int, student: int, advice: str = "Pass a bridge from `distiller.bridges`"):
        if teacher == 1:  # of two classes, as sigmoids have it
            advice = "One logit z of two classes is the logits 0 and z: add a Dense layer of 2 with fixed weights"
        super().__init__(f"The teacher has {teacher} class{'es' * (teacher != 1)} and the student {student}. {advice}")
        self.teacher, self.student = teacher, student


class WorkError(RuntimeError):
    """The call was right and the work failed; the message says what and what to try."""
