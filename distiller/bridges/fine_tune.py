"""A copy of the teacher, trained end to end in the student's classes."""

from typing import Any

import keras

from distiller.bridges.bridge import Fitted
from distiller.bridges.labelled import labelled
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.feature_extraction import check_logits, entry, penultimate
from distiller.networks.internals import flatten_layers
from distiller.networks.weights import take_weights


class FineTune(Fitted):
    """A copy of the teacher with a new last layer, trained end to end on the student's labelled images.

    Unlike the other bridges it changes what the teacher knows, in its copy: it learns the student's task with all of
    the teacher's capacity, starting from the teacher's features.
    """

    def prepare(self, teacher: keras.Model, classes: int, *, precision: str | None = None) -> keras.Model:
        """The copy with a new last layer of `classes` logits, not yet trained; to be compiled and fitted by the caller.

        Layers keep their names; the new one is named `logits` where the teacher's last layer was. All of them are
        trained, also those that are not trained in the teacher.

        Args:
            teacher: network with logits of its own classes; it stays as it is.
            classes: the student's number of classes.
            precision: dtype policy of the copy, such as "mixed_bfloat16"; by default the teacher's.
        """
        check_logits(teacher, role="teacher")
        copy = _copied(teacher, precision)
        for layer in flatten_layers(copy):  # a network does not pass it on to its layers
            layer.trainable = True
        head = keras.layers.Dense(classes, dtype="float32", name=copy.layers[-1].name)
        self.network = fuse(keras.Model(entry(copy), head(penultimate(copy)), name=f"{teacher.name}_fine_tuned"))
        self._fitted_on(teacher)
        return self.network

    def fit(self, teacher: keras.Model, train: Any, classes: int, *, optimizer: Any = None, **fit: Any) -> "FineTune":
        """Prepare the copy and train it with `keras.Model.fit`.

        Args:
            teacher: network with logits of its own classes; it stays as it is.
            train: a pair (images (n, h, w, c), labels (n,)) in the student's classes, where labels −1 are left out, or
                whatever else `keras.Model.fit` takes.
            classes: the student's number of classes.
            optimizer: a Keras optimizer; SGD with momentum at 0.02 by default.
            fit: epochs, validation_data, callbacks and so on.

        Raises:
            InputError: a tuple or list of other than two, or labels of the pair that are no classes.
        """
        if isinstance(train, tuple | list) and "y" not in fit:
            if len(train) != 2:
                raise InputError(
                    "Expected a pair (images, labels), or a dataset for whatever else, such as weights of samples. "
                    f"Received: a {type(train).__name__} of {len(train)}"
                )
            images, labels = train
            train, fit["y"] = labelled(images, labels, classes)
        network = self.prepare(teacher, classes)
        network.compile(
            optimizer or keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
        # TensorFlow traces a step a second time where it makes variables.
        network.optimizer.build(network.trainable_variables)
        network.fit(train, **fit)
        return self


def _copied(teacher: keras.Model, precision: str | None) -> keras.Model:
    """A network of the same weights; in another precision, where the first layer with weights does not have it."""
    inner = (layer for layer in flatten_layers(teacher) if not isinstance(layer, keras.Model))
    own = next((layer.dtype_policy.name for layer in inner if layer.weights), None)

    def copied(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=copied)
        config = layer.get_config()
        return type(layer).from_config(config if precision in (None, own) else {**config, "dtype": precision})

    copy = keras.models.clone_model(teacher, clone_function=copied)
    take_weights(copy, teacher)
    return copy
