"""Agreement of a phone's answers with those of the interpreter, and the signs that an accelerator computed nonsense."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tflite.model_file.interpreter import largest
from tflite.model_file.tensor_spec import TensorSpec

# A GPU that computes with 16-bit floating-point numbers differs by a percent or less of the outputs' range, and few
# images lie so near to the border of two classes. What is beyond these is called wrong.
MOST_DIFFERENCE = 0.1
MOST_OTHER_CLASSES = 0.05


@dataclass(frozen=True)
class Agreement:
    """Two answers to the same images, (n, classes) in the output's own type.

    `same_class` is the fraction of images with the same largest output; one with NaN among its outputs has no largest
    and never agrees. `max_difference` is the largest of any output, in quantization steps where they are integers, and
    `share` the same as a fraction of the range of all expected outputs.
    """

    same_class: float
    max_difference: float
    share: float


def agreement(answers: np.ndarray, expected: np.ndarray) -> Agreement:
    """Agreement of answers with those that are expected.

    >>> import numpy as np
    >>> agreement(np.array([[0.0, 1.0], [0.5, 0.25]]), np.array([[0.0, 1.0], [0.5, 1.0]]))
    Agreement(same_class=0.5, max_difference=0.75, share=0.75)
    """
    guesses = largest(answers)
    # Wider than any output type: a difference of int8 does not fit in int8.
    wide, known = answers.astype("float64"), expected.astype("float64")
    difference = float(np.abs(wide - known).max())
    span = float(known.max() - known.min())
    share = difference / span if span else float(difference != 0)
    return Agreement(float(np.mean((guesses == largest(expected)) & (guesses >= 0))), difference, share)


def not_numbers(answers: np.ndarray) -> np.ndarray:
    """Return which images have an output that is NaN or infinite."""
    return ~np.isfinite(answers.astype("float64")).all(axis=1)


def all_zero(answers: np.ndarray, expected: np.ndarray, port: TensorSpec) -> np.ndarray:
    """Return which images have no output but zeros, where the expected ones have others.

    A buffer that nobody wrote to holds the number 0, and a zero that was quantized the output's zero point.
    """

    def zeros(rows: np.ndarray) -> np.ndarray:
        return (rows == 0).all(axis=1) | (rows == (port.zero_point or 0)).all(axis=1)

    return zeros(answers) & ~zeros(expected)


def one_answer(answers: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether every image has the same outputs although the expected ones differ."""
    return len(answers) > 1 and bool((answers == answers[0]).all()) and not bool((expected == expected[0]).all())


def signs(answers: np.ndarray, expected: np.ndarray, port: TensorSpec) -> Iterator[str]:
    """Sentences about answers that are wrong; none about those that differ as arithmetic of other precision does."""
    count = len(answers)
    if bad := int(not_numbers(answers).sum()):
        yield f"NaN or infinite outputs on {bad} of {count} images"
    if zero := int(all_zero(answers, expected, port).sum()):
        yield f"all outputs are zero on {zero} of {count} images, and are not here"
    elif not bad and one_answer(answers, expected):
        yield f"the same outputs for all {count} images, which have different ones here"
    if bad or zero:
        return
    found = agreement(answers, expected)
    if found.share > MOST_DIFFERENCE:
        yield f"an output differs by {found.share:.0%} of the range that the outputs have here"
    if 1 - found.same_class > MOST_OTHER_CLASSES:
        yield f"another class than here on {1 - found.same_class:.0%} of the images"
