"""What every bridge is: the teacher's knowledge, told in the student's classes."""

import keras

from distiller.errors import InputError


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
            raise InputError(
                f"The teacher has {teacher.output_shape[-1]} classes and the student {classes}. "
                "Pass a bridge from `distiller.bridges`"
            )
        return teacher

    def head(self, teacher: keras.Model) -> keras.Layer | None:
        """A layer on the student's last features that answers in the bridged teacher's classes, in place of its logits.

        None, as in most bridges, where the student's own logits are compared.
        """
        return None


class Fitted(Bridge):
    """A bridge that learns from labelled images before it serves."""

    network: keras.Model | None = None

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The fitted network.

        Raises:
            InputError: `fit` has not run, or ran for another number of classes.
        """
        if self.network is None:
            raise InputError(f"{type(self).__name__} has to be fitted first: call its `fit(teacher, …)`")
        if self.network.output_shape[-1] != classes:
            raise InputError(
                f"{type(self).__name__} was fitted for {self.network.output_shape[-1]} classes. "
                f"Received: a student of {classes} classes"
            )
        return self.network
