"""Trainings of students by labels and by other networks: the part that `Distiller` and `Mutual` share."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.trainer.checks import watched
from distiller.trainer.class_weights import weighted
from distiller.trainer.finite import Finite, check_some
from distiller.trainer.loss_scaling import scaled
from distiller.trainer.output_weights import completed
from distiller.trainer.steps import step_class
from distiller.trainer.targets import Targets


class Loss(NamedTuple):
    """The loss of a batch and its terms.

    Attributes:
        task: weighted loss of the labels, and all regularizers; a scalar of float32.
        distillation: weighted loss of the objectives.
        terms: every term by name, unweighted.
        samples: how many the means of the metrics are over: those of the batch or, with labels alone, the labelled.
    """

    task: Any
    distillation: Any
    terms: dict[str, Any]
    samples: Any


class Training(step_class(), keras.Model):  # type: ignore[misc]
    """Base of `Distiller` and `Mutual`: `compile`, `fit`, `evaluate` and metrics around the steps of a backend.

    A subclass calls `track` with the names of its loss's terms and sets `built` when its networks are there, gives
    `compile` to `compile_students`, and defines `students_trained`, `student_outputs`, `teacher_outputs`, `targets`,
    `combine`, `label_terms` and `seen_by_metrics`. The steps call these and `update_metrics`, `evaluate_student`.
    """

    _restoring = False
    _copied = False  # whether Keras has copied the samples' weights to every output

    # What a subclass defines.

    def students_trained(self) -> list[keras.Model]:
        """The networks that are trained."""
        raise NotImplementedError

    def student_outputs(self, x: Any, training: bool = False) -> dict[str, Any]:
        """The students' outputs of a batch, by name."""
        raise NotImplementedError

    def label_terms(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """The labels' terms of the loss by name, and over how many samples they are means."""
        raise NotImplementedError

    def seen_by_metrics(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Labels, outputs and weights as the compiled metrics take them; unlabelled samples weigh nothing."""
        raise NotImplementedError

    def labelled_outputs(self) -> list[str]:
        """The names of the outputs that labels and weights of samples may be given by."""
        return [LOGITS]

    def marks_unlabelled(self) -> bool:
        """True where the loss is one of classes, and −1 marks an unlabelled sample."""
        raise NotImplementedError

    def way_to_export(self) -> str:
        """The sentence that says which network to export instead."""
        raise NotImplementedError

    # What is shared.

    def track(self, terms: Iterable[str]) -> None:
        """Make a metric for each term of the loss."""
        self._trackers = {name: keras.metrics.Mean(name=name) for name in terms}

    def check_loss(self, received: Any, *, given: bool) -> None:
        """Raise InputError unless `compile` was given a loss of the labels for each student."""
        if not given:
            raise InputError(
                "Expected `loss`, the loss of the labels, for example "
                f"keras.losses.SparseCategoricalCrossentropy(from_logits=True). Received: {received}"
            )

    def compile_students(self, optimizer: Any, loss: Any, **kwargs: Any) -> None:
        """As `keras.Model.compile`, with the loss scaled where a student computes in float16."""
        if kwargs.get("auto_scale_loss", True) and not self._restoring:
            optimizer = scaled(optimizer, *self.students_trained())
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the training that was saved; its optimizer's variables are there to be loaded."""
        self._restoring = True  # with the optimizer as it was saved
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._restoring = False
        self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: Any = None,
        epochs: Any = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: Any = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.fit`. An unlabelled sample has the class weight 1. The first loss that is no number ends it.

        Raises:
            InputError: `compile` was not called, no samples, or anything that a first batch shows.
            WorkError: the loss or the weights came to be no numbers later.
        """
        if not self.compiled:
            raise InputError("Call `compile` before `fit`, for example distiller.compile(optimizer, loss)")
        check_some(x)
        if class_weight and sample_weight is None:
            held_out = 0.0 if validation_data else validation_split or 0.0
            x, sample_weight, class_weight = weighted(
                x, y, class_weight, held_out=held_out, marked=self.marks_unlabelled()
            )
        sample_weight = completed(y, sample_weight, self.labelled_outputs())
        if isinstance(validation_data, tuple) and len(validation_data) == 3:
            held = completed(*validation_data[1:], self.labelled_outputs())
            validation_data = (*validation_data[:2], held)
        watch, looking = self.look_at_first_batch(x, y, batch_size or 32)
        with watched(callbacks, watch) as callbacks, self._weighing(sample_weight), looking:
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                class_weight=class_weight,
                sample_weight=sample_weight,
                **kwargs,
            )

    def look_at_first_batch(self, x: Any, y: Any, batch_size: int) -> tuple[Finite, AbstractContextManager[Any]]:
        """Check the first batch; returns the watch over the steps, and the context to call `fit` of Keras in."""
        return Finite(("loss", *self._trackers)), self.looking(None)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: Any = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.evaluate`: the students' loss of the labels, and the metrics."""
        check_some(x)
        sample_weight = completed(y, sample_weight, self.labelled_outputs())
        with self._weighing(sample_weight):
            return super().evaluate(x, y, batch_size, verbose, sample_weight, *args, **kwargs)

    @contextmanager
    def _weighing(self, weights: Any) -> Iterator[None]:
        before, self._copied = self._copied, hasattr(weights, "shape")
        try:
            yield
        finally:
            self._copied = before

    def unpack(self, data: Any) -> tuple[Any, Any, Any]:
        """Inputs, labels and weights of what `fit` passes to a step."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        # A network takes texts and structures of inputs as tensors alone.
        x = keras.tree.map_structure(
            lambda part: ops.convert_to_tensor(part) if isinstance(part, np.ndarray) else part, x
        )
        return x, y, weights

    def update_metrics(
        self, loss: Any, terms: Mapping[str, Any], outputs: Mapping[str, Any], targets: Targets, samples: Any
    ) -> dict[str, Any]:
        """Count a batch in every metric, as so many `samples`; returns their results."""
        for name, tracker in self._trackers.items():
            if name in terms:
                tracker.update_state(terms[name], sample_weight=samples)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=samples)
            # A mean of Keras's own is that of an output's loss, which Keras makes and `LabelsTerm` replaces.
            elif not isinstance(metric, keras.metrics.Mean):
                labels, predictions, weights = self.seen_by_metrics(targets, outputs)
                metric.update_state(labels, predictions, sample_weight=weights)
        return self.get_metrics_result()

    def evaluate_student(self, x: Any, targets: Targets) -> dict[str, Any]:
        """Count a batch by its labels alone: their loss and the compiled metrics; returns the results."""
        outputs = self.student_outputs(x)
        terms, labelled = self.label_terms(targets, outputs)
        results = self.update_metrics(ops.sum(list(terms.values())), terms, outputs, targets, labelled)
        return {name: value for name, value in results.items() if name in terms or name not in self._trackers}

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Raise InputError: a training is no network, and its students are what is exported."""
        raise InputError(self.way_to_export())

    def _step(self) -> Any:
        """The number of the optimizer's updates."""
        return 0 if self.optimizer is None else self.optimizer.iterations


def deserialized(config: Mapping[str, Any], custom_objects: Any) -> dict[str, Any]:
    """The arguments in a configuration whose values Keras has serialized."""
    return {key: keras.saving.deserialize_keras_object(value, custom_objects) for key, value in config.items()}
