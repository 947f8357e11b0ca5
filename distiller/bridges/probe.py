"""A small head on the frozen teacher's features."""

import warnings
from typing import Any

import keras
import numpy as np

from distiller.bridges.bridge import Fitted
from distiller.bridges.labelled import labelled_outputs
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.feature_extraction import check_logits, entry, penultimate
from distiller.objectives.objective import positive

Layers = list[tuple[np.ndarray, np.ndarray]]


class Probe(Fitted):
    """A classifier on what the last layer of the frozen teacher sees, fitted in the student's classes.

    Logistic regression with an L2 penalty (Alain & Bengio 2016, 1610.01644) on standardized features, or with `hidden`
    a perceptron with one hidden layer, both by scikit-learn. The teacher's features stay as they are, so a feature
    objective sees the teacher itself.

    Args:
        strength: inverse of the penalty, scikit-learn's `C`: the sum of the images' losses + ½ ‖weights‖² / strength.
        hidden: units (ReLU) of a hidden layer; None for a linear head. With few labels or a small `strength` it may
            learn less than the linear one: compare `accuracy`.
        seed: of the hidden layer's initial weights and of the order of its images; the linear head has no chance in it.

    After `fit`, `accuracy` is that on the held-out images, a fraction.

    Raises:
        InputError: a strength that is not positive, or fewer hidden units than 1.
    """

    accuracy: float | None = None

    def __init__(self, strength: float = 0.1, *, hidden: int | None = None, seed: int = 0):
        self.strength = positive("strength", strength)
        self.hidden, self.seed = hidden, seed
        if hidden is not None and hidden < 1:
            raise InputError(
                f"Invalid value for `hidden`. Expected 1 or more units, or None. Received: hidden={hidden}"
            )

    def fit(self, teacher: keras.Model, train: Any, validation: Any, classes: int) -> "Probe":
        """Fit the head.

        Args:
            teacher: network with logits of its own classes.
            train, validation: pairs (images (n, h, w, c), labels (n,)) in the student's classes; labels −1 are left
                out.
            classes: the student's number of classes.
        """
        check_logits(teacher, role="teacher")
        body = keras.Model(entry(teacher), penultimate(teacher))
        (features, labels), held = labelled_outputs(body, train, validation, classes)
        scaler, classifier = self._fit(features, labels)
        self.accuracy = float(classifier.score(scaler.transform(held[0]), held[1]))
        self.network = _with_head(teacher, _layers(scaler, classifier))
        self._fitted_on(teacher)
        return self

    def _fit(self, features: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(features)
        if self.hidden is None:
            linear = LogisticRegression(C=self.strength, max_iter=500)
            return scaler, linear.fit(scaler.transform(features), labels)
        # scikit-learn adds ½ alpha ‖weights‖² to the sum of the losses of a batch.
        batch = min(200, len(labels))
        alpha = batch / (self.strength * len(labels))
        perceptron = MLPClassifier((self.hidden,), alpha=alpha, batch_size=batch, max_iter=500, random_state=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the 500 epochs are a budget
            return scaler, perceptron.fit(scaler.transform(features), labels)


def _layers(scaler: Any, classifier: Any) -> Layers:
    """Kernels (inputs, units) and biases (units,) of the head, from plain features to logits."""
    if hasattr(classifier, "coefs_"):
        layers = list(zip(classifier.coefs_, classifier.intercepts_, strict=True))
    else:
        layers = [(classifier.coef_.T, classifier.intercept_)]
    kernel, bias = layers[0]
    kernel = kernel / scaler.scale_[:, None]
    layers[0] = kernel, bias - scaler.mean_ @ kernel
    kernel, bias = layers[-1]
    if kernel.shape[1] == 1:  # scikit-learn keeps one score for two classes
        layers[-1] = np.pad(kernel, ((0, 0), (1, 0))), np.pad(bias, (1, 0))
    return layers


def _with_head(teacher: keras.Model, weights: Layers) -> keras.Model:
    name = f"{teacher.name}_probe"
    *hidden, (_, bias) = weights
    # The hidden layer is named after the teacher, which may have a probe's head itself: names of layers are unique.
    layers = [keras.layers.Dense(len(b), "relu", dtype="float32", name=f"{name}_hidden") for _, b in hidden]
    layers.append(keras.layers.Dense(len(bias), dtype="float32", name="probe"))
    output = penultimate(teacher)
    for layer in layers:
        output = layer(output)
    network = keras.Model(entry(teacher), output, name=name)
    for layer, values in zip(layers, weights, strict=True):
        layer.set_weights(values)
    return fuse(network)
