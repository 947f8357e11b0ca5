"""A soft map between the teacher's classes and the student's, learned from labelled images."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.bridges.bridge import Fitted
from distiller.bridges.labelled import labelled_outputs
from distiller.errors import InputError
from distiller.networks.feature_extraction import check_logits, entry
from distiller.objectives.objective import positive
from distiller.objectives.probabilities import refuse_probabilities


class Transport(Fitted):
    """The shares of each of the teacher's classes in those of the student: q = p @ M, with the logits log q.

    p (C_t,) is the teacher's softmax and each row of M (C_t, C_s) sums to 1, so that q (C_s,) does. `most_likely` finds
    M. Unlike a probe it sees no features, only what the teacher says, and what it learned can be read: see `matches`.
    A temperature in an objective softens q: softmax(logits / temperature) is q ** (1 / temperature), renormalized.

    Args:
        smoothing: weight, in images, of a uniform row that is mixed into each row of M, so that no probability is 0.
        temperature: the teacher's logits are divided by it before the softmax; above 1 for a teacher that is surer than
            right on the student's images.
        steps: of the fit at most; it ends earlier where the likelihood has settled. With 1, q is the predictor of
            LEEP (Nguyen et al. 2020, 2002.12462).

    Attributes:
        accuracy: after `fit`, that on the held-out images, a fraction.
        matrix: after `fit`, M.

    Raises:
        InputError: smoothing or temperature not positive, or fewer steps than 1.
    """

    accuracy: float | None = None
    matrix: np.ndarray | None = None

    def __init__(self, smoothing: float = 1.0, *, temperature: float = 1.0, steps: int = 200):
        self.smoothing = positive("smoothing", smoothing)
        self.temperature = positive("temperature", temperature)
        self.steps = steps
        if steps < 1:
            raise InputError(f"Invalid value for `steps`. Expected 1 or more. Received: steps={steps}")

    def fit(self, teacher: keras.Model, train: Any, validation: Any, classes: int) -> "Transport":
        """Fit M.

        Args:
            teacher: network with logits of its own classes.
            train, validation: pairs (images (n, h, w, c), labels (n,)) in the student's classes; labels −1 are left
                out.
            classes: the student's number of classes.
        """
        check_logits(teacher, role="teacher")
        outputs = labelled_outputs(teacher, train, validation, classes)
        refuse_probabilities(outputs[0][0], "teacher")
        (p, labels), (held, held_labels) = ((_softmax(z / self.temperature), y) for z, y in outputs)
        self.matrix = most_likely(p, labels, classes, self.smoothing, self.steps)
        self.accuracy = float(np.mean((held @ self.matrix).argmax(-1) == held_labels))
        self._said = p.mean(0)
        # Named after the teacher, which may be a bridged network itself: names of layers are unique.
        name = f"{teacher.name}_transport"
        mixture = Mixture(classes, temperature=self.temperature, name=name)
        self.network = keras.Model(entry(teacher), mixture(teacher.outputs[0]), name=name)
        mixture.set_weights([self.matrix])
        self._fitted_on(teacher)
        return self

    def matches(
        self, k: int = 3, names: Sequence[str] | None = None, classes: Sequence[str] | None = None
    ) -> dict[str, list[tuple[str, float]]]:
        """For each class of the student, the k of the teacher's that speak for it most, with their shares of its q.

        The share of t in y is mean p(t) · M[t, y], the mean over the images of the fit, divided by its sum over t.

        Args:
            k: how many.
            names: the names of the teacher's classes; indices where not given.
            classes: the names of the student's; indices where not given.

        Raises:
            InputError: `fit` has not run, or there are not as many names as classes.
        """
        if self.matrix is None:
            raise InputError("Transport has to be fitted first: call its `fit(teacher, …)`")
        rows, columns = (
            [str(name) for name in (given if given is not None else range(size))]
            for given, size in zip((names, classes), self.matrix.shape, strict=True)
        )
        if (len(rows), len(columns)) != self.matrix.shape:
            raise InputError(
                f"Expected names of {self.matrix.shape[0]} classes of the teacher and {self.matrix.shape[1]} of the "
                f"student. Received: {len(rows)} and {len(columns)}"
            )
        joint = self._said[:, None] * self.matrix
        shares = (joint / joint.sum(0)).T
        return {
            name: [(rows[t], float(of_class[t])) for t in np.argsort(-of_class, kind="stable")[:k]]
            for name, of_class in zip(columns, shares, strict=True)
        }


def most_likely(p: np.ndarray, labels: np.ndarray, classes: int, smoothing: float, steps: int) -> np.ndarray:
    """The matrix M that makes the labels most likely under q = p @ M, by expectation maximization.

    It maximizes the sum over images of log q(y), plus smoothing / C_s · the sum of log M, which is concave in M: there
    is one maximum, and no step goes down (Dempster, Laird & Rubin 1977, theorem 1). With the responsibility
    r(t) = p(t) M[t, y] / q(y) of the teacher's class t for an image of class y, a step is

        M[t, y] ← (sum of r(t) over the images of class y + smoothing / C_s) / (the sum of that over all classes).

    It starts from a uniform M, so that r = p and the first step finds the empirical conditional p(y | t) of LEEP
    (Nguyen et al. 2020, 2002.12462), smoothed.

    Args:
        p: probabilities (n, C_t), the teacher's.
        labels: (n,) in the student's classes, with images of each.
        classes: C_s.
        smoothing: above 0.
        steps: at most.

    >>> p = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8]])
    >>> most_likely(p, np.array([0, 1, 1]), 2, smoothing=0.01, steps=100).round(1)
    array([[1., 0.],
           [0., 1.]])
    """
    matrix = np.full((p.shape[1], classes), 1 / classes)
    by_class = [p[labels == y] for y in range(classes)]
    before = -np.inf
    for _ in range(steps):
        q = [rows @ column for rows, column in zip(by_class, matrix.T, strict=True)]
        now = sum(np.log(of_class).sum() for of_class in q) + smoothing / classes * np.log(matrix).sum()
        if now - before < 1e-7 * len(p):
            break
        before = now
        responsible = matrix * np.stack([(1 / of_class) @ rows for of_class, rows in zip(q, by_class, strict=True)], 1)
        matrix = responsible + smoothing / classes
        matrix /= matrix.sum(1, keepdims=True)
    return matrix


@keras.saving.register_keras_serializable("distiller")
class Mixture(keras.layers.Layer):
    """log(softmax(logits / temperature) @ matrix): (batch, n) to (batch, classes), in float32.

    Its matrix (n, classes) is not trained; rows sum to 1 and no element is 0.
    """

    takes_logits = True
    mixes_classes = True

    def __init__(self, classes: int, *, temperature: float = 1.0, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.classes, self.temperature = classes, temperature

    def build(self, input_shape: Any) -> None:
        """Make the matrix, uniform."""
        uniform = keras.initializers.Constant(1 / self.classes)
        shape = (input_shape[-1], self.classes)
        self.matrix = self.add_weight(shape=shape, initializer=uniform, trainable=False, name="matrix")

    def call(self, inputs: Any) -> Any:
        """The logits of the mixture."""
        return ops.log(ops.matmul(ops.softmax(inputs / self.temperature, axis=-1), self.matrix))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "classes": self.classes, "temperature": self.temperature}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True), dtype="float64")
    return powers / powers.sum(-1, keepdims=True)
