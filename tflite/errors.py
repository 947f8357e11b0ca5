"""Errors that a person can mend.

ValueError
└── ModelError         the model, the file or an argument is wrong
RuntimeError
├── ConversionError    the input was right and the conversion failed
└── MeasurementError   the input was right and the tool, the phone or the way to it failed
"""


class ModelError(ValueError):
    """The model, the file or an argument is wrong; the message says what was expected and what was received."""


class ConversionError(RuntimeError):
    """The conversion failed, or its result is not what was asked for; the message says which part and why."""


class MeasurementError(RuntimeError):
    """A tool or a phone failed at its work, or measured something else than was asked for; the message says why."""


# Characters of another library's message that are shown; Keras's may hold the configuration of a whole model.
_MOST = 300


def shortened(error: object) -> str:
    """The first line of another library's message, up to 300 characters.

    >>> shortened(ValueError("no such layer\\nReceived: ..."))
    'no such layer'
    """
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else type(error).__name__
    return line if len(line) <= _MOST else f"{line[:_MOST]}…"
