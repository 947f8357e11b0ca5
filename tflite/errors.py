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
