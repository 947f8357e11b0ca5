"""Base class of bridges: the teacher's knowledge, told in the student's classes."""

import weakref
from typing import Any

import keras

from distiller.errors import InputError, NoBridgeError


class Bridge:
    """From a teacher of C_t classes to one of C_s classes, the student's.

    A bridge is used in training only: the student keeps no trace of it.
    """

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """A network with `classes` logits that shares or copies what `teacher` knows; `teacher` stays as it is.

        The layers that feature objectives name keep their names.

        Raises:
            InputError: this teacher and that number of classes cannot be bridged so.
        """
        if teacher.output_shape[-1] != classes:
            raise NoBridgeError(teacher.output_shape[-1], classes)
        return teacher

    def head(self, teacher: keras.Model) -> keras.Layer | None:
        """A layer on the student's last features that answers in the bridged teacher's classes, in place of its logits.

        None, as in most bridges, where the student's own logits are compared.
        """
        return None


class Fitted(Bridge):
    """A bridge that learns from labelled images before it serves.

    It serves the teacher that it was fitted on, or one of the same weights. Where its `network` was put there instead,
    nothing is known of its teacher and nothing is checked.
    """

    network: keras.Model | None = None
    _fitted_to: weakref.ref[keras.Model] | None = None
    _weights: str | None = None

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The fitted network.

        Raises:
            InputError: `fit` has not run, or ran for another number of classes or on another teacher.
        """
        if self.network is None:
            raise InputError(f"{type(self).__name__} has to be fitted first: call its `fit(teacher, …)`")
        if self.network.output_shape[-1] != classes:
            raise InputError(
                f"{type(self).__name__} was fitted for {self.network.output_shape[-1]} classes. "
                f"Received: a student of {classes} classes"
            )
        if not self._knows(teacher):
            raise InputError(
                f"{type(self).__name__} was fitted on another teacher: the weights of {teacher.name!r} are not those "
                "it was fitted with. Fit it on this teacher, or pass the other"
            )
        return self.network

    def _fitted_on(self, teacher: keras.Model) -> None:
        """Remember the teacher; every `fit` calls this."""
        self._fitted_to, self._weights = weakref.ref(teacher), _digest(teacher)

    def _knows(self, teacher: keras.Model) -> bool:
        own = self._fitted_to and self._fitted_to()
        return self._weights is None or own is teacher or _digest(teacher) == self._weights

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fitted_to": None}  # a reference that copies and files cannot hold


def _digest(teacher: keras.Model) -> str:
    from distiller.networks import fingerprint

    return fingerprint.weights(teacher)
