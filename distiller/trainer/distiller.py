"""A Keras model that trains a student from a teacher."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from distiller.bridges import Bridge
from distiller.bridges.saved_bridge import Ready, joined, parted
from distiller.data.batches import Batches
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.endings import may_be_probabilities
from distiller.networks.feature_extraction import LOGITS
from distiller.networks.scheduled import Number, attach
from distiller.objectives import Objective
from distiller.trainer.checks import FirstStep, Look, check_all, check_batch, check_stored, first_batch, watched
from distiller.trainer.class_weights import weighted
from distiller.trainer.distillation_loss import (
    added,
    also_takes,
    build,
    by_name,
    check_masks,
    checked_weight,
    no_teacher,
    objective_term,
    term_weights,
)
from distiller.trainer.finite import check_some
from distiller.trainer.independent_labels import check_ending, settle_all
from distiller.trainer.label_loss import LabelsTerm, without_ignored, without_labels
from distiller.trainer.loss_kinds import Kind
from distiller.trainer.loss_scaling import scaled
from distiller.trainer.metrics import as_keras_takes_it, together
from distiller.trainer.output_weights import completed
from distiller.trainer.pairing import Pairing
from distiller.trainer.steps import step_class
from distiller.trainer.targets import LABELS, Targets
from distiller.utils.suggestions import unknown


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


@keras.saving.register_keras_serializable("distiller")
class Distiller(step_class(), keras.Model):  # type: ignore[misc]
    """Trains `student` on hard labels and on what `objectives` compare between it and `teacher`.

    The loss is the weighted sum of the labels' loss (the one given to `compile`), every objective's, and the
    regularizers of the student and the objectives: after Hinton et al. 2015, 1503.02531, for one objective,

        loss = weights["labels"] · loss(labels, student) + weights["soft"] · hinton(teacher, student).

    Each term is a mean over samples of sample weight × loss; the labels' term takes the mean over the labelled
    samples. Where the loss is a cross-entropy, −1 marks an unlabelled one, in place of its class or throughout its
    row. Any other loss takes numbers, which mean themselves; there NaN marks it, throughout a row. A sample weight of 0
    leaves a sample out of every term. A loss of classes of your own says so by an attribute `ignore_class`, −1 for
    example. Labels may be integers, probabilities (batch, C_s), or a dict {"labels": …, "ids": …, "taught": …}: ids for
    objectives that remember samples, and the teacher's outputs where a `teachers.Cache` has them. A step runs the
    teacher once, in inference mode, and the student once. With `optimizers.DOT` the two sums of the loss have a
    gradient each.

    Networks of several outputs have labels, losses, metrics and, where they differ, sample weights by the name of the
    output, as in Keras, and objectives name the outputs or layers that they compare. An output's weights count for its
    labels and for what compares it, and not for other layers. Logits of sequences, (batch, positions, classes), are
    compared position by position; what a mask hides counts in no term. Beside a binary cross-entropy labels are
    independent of each other, and objectives on logits compare each by itself, or are refused.

    Args:
        teacher: network with logits (batch, C_t) for the same inputs as the student's. It is not changed. None where no
            objective asks one, such as `teachers.Virtual`.
        student: network with logits (batch, C_s). After training it is a plain model: `distiller.student.save(…)`.
        objectives: name → objective (an `Objective`, a name of the table, or a dict of a name and arguments); the
            names are those of the metrics.
        weights: name → number or `keras.optimizers.schedules` schedule over steps, for the objectives and "labels";
            1.0 where not given. `set_weight` changes a number during the training.
        bridge: from the teacher's label space to the student's, where they differ: one for all objectives, or by the
            name of the objective.

    Raises:
        InputError: the two networks, the layers or the weights named do not fit.

    >>> import keras, numpy as np
    >>> from distiller import Distiller, models
    >>> distiller = Distiller(
    ...     teacher=models.build("resnet20", 3, (8, 8, 1)),
    ...     student=models.build("resnet8", 3, (8, 8, 1), width=8),
    ...     objectives={"soft": {"name": "hinton", "temperature": 4.0}},
    ...     weights={"labels": 0.1, "soft": 0.9},
    ... )
    >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    >>> distiller.compile("sgd", loss=loss, metrics=["accuracy"])
    >>> history = distiller.fit(np.zeros((4, 8, 8, 1)), np.array([0, 1, 2, -1]), verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'labels', 'loss', 'soft']
    """

    def __init__(
        self,
        *,
        student: keras.Model,
        objectives: Mapping[str, Objective | str | dict[str, Any]],
        weights: Mapping[str, Number] | None = None,
        teacher: keras.Model | None = None,
        bridge: Bridge | Mapping[str, Bridge] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.student = student
        self.objectives = by_name(objectives)
        if teacher is None:
            teacher = no_teacher(student, self.objectives)
        self.term_weights = term_weights(weights or {}, self.objectives)
        self.pairing = Pairing(teacher, student, self.objectives, bridge)
        self.heads = self.pairing.heads
        for name, objective in self.objectives.items():
            if not objective.needs_teacher and self.pairing.first[name] in self.heads:
                raise InputError(f"Objective {name!r} asks the labels, and an auxiliary head answers in other classes")
            check_masks(name, objective, self.pairing)
            build(name, objective, self.pairing)
        self._also = {name: also_takes(objective) for name, objective in self.objectives.items()}
        self._trackers = {name: keras.metrics.Mean(name=name) for name in (LABELS, *self.objectives)}
        self.looked = False  # whether a first batch has shown that networks answer logits
        self._restoring = False
        self._copied = False  # whether Keras has copied the samples' weights to every output
        attach(self, self._step)
        self.built = True

    def call(self, inputs, training=None, mask=None):
        """The student's logits (batch, C_s)."""
        # A subclassed student may not take a mask.
        return self.student(inputs, training=training, **({} if mask is None else {"mask": mask}))

    def compile(
        self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, **kwargs: Any
    ) -> None:
        """As `keras.Model.compile`; `loss` is that of the labels. Metrics see the labelled samples, weighted."""
        if loss is None:
            raise InputError(
                "Expected `loss`, the loss of the labels, for example "
                "keras.losses.SparseCategoricalCrossentropy(from_logits=True). Received: None"
            )
        if self.pairing.outputs == [LOGITS]:
            loss, metrics, weighted_metrics = map(self.pairing.by_output, (loss, metrics, weighted_metrics))
        # As weighted metrics they can leave the unlabelled samples out.
        seen = together(metrics, weighted_metrics)
        if kwargs.get("auto_scale_loss", True) and not self._restoring:
            optimizer = scaled(optimizer, self.student)
        super().compile(optimizer=optimizer, loss=loss, loss_weights=loss_weights, weighted_metrics=seen, **kwargs)
        self._labels_term = LabelsTerm(
            loss, loss_weights, self.pairing.outputs, sigmoid=may_be_probabilities(self.student)
        )
        check_ending(self.student, self.label_kinds)
        settle_all(self.objectives, self.pairing, self.label_kinds, LOGITS)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the Distiller that was saved; its optimizer's variables are there to be loaded."""
        self._restoring = True  # with the optimizer as it was saved
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._restoring = False
        self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        *,
        class_weight=None,
        sample_weight=None,
        **kwargs: Any,
    ):
        """As `keras.Model.fit`. The first batch is looked at before the training, and its loss after the first step.

        Raises:
            InputError: labels out of range, a teacher or images that hold no numbers, no samples, or stored answers of
                another teacher.
            WorkError: the loss or the weights came to be no numbers later.
        """
        if not self.compiled:
            raise InputError("Call `compile` before `fit`, for example distiller.compile(optimizer, loss)")
        if class_weight and sample_weight is None:
            held_out = 0.0 if kwargs.get("validation_data") else kwargs.get("validation_split") or 0.0
            classes = self.label_kinds.get(LOGITS)
            x, sample_weight, class_weight = weighted(x, y, class_weight, held_out=held_out, marked=classes is not None)
        sample_weight = completed(y, sample_weight, self.pairing.outputs)
        if isinstance(validation := kwargs.get("validation_data"), tuple) and len(validation) == 3:
            held = completed(*validation[1:], self.pairing.outputs)
            kwargs["validation_data"] = (*validation[:2], held)
        check_some(x)
        check_stored(self, x)
        batch = first_batch(x, y, batch_size or 32)
        if batch is not None:
            check_batch(self, batch)
        check_all(self, x.all_targets() if isinstance(x, Batches) else y)
        self.build_before_tracing(batch)
        watch = FirstStep(self, batch)
        looking = self.looking(Look(self, watch) if batch is None else None)
        with watched(callbacks, watch) as callbacks, self._weighing(sample_weight), looking:
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                class_weight=class_weight,
                sample_weight=sample_weight,
                **kwargs,
            )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, *args: Any, **kwargs: Any):
        """As `keras.Model.evaluate`: the student's loss of the labels, and the metrics."""
        check_some(x)
        sample_weight = completed(y, sample_weight, self.pairing.outputs)
        with self._weighing(sample_weight):
            return super().evaluate(x, y, batch_size, verbose, sample_weight, *args, **kwargs)

    @contextmanager
    def _weighing(self, weights: Any) -> Iterator[None]:
        before, self._copied = self._copied, hasattr(weights, "shape")
        try:
            yield
        finally:
            self._copied = before

    def set_weight(self, name: str, weight: float) -> None:
        """Change the weight of an objective or of "labels", also between the epochs of a training.

        Raises:
            InputError: there is no term of that name, or the weight is no number of at least 0.
            TypeError: the weight follows a schedule.
        """
        if name not in self.term_weights:
            raise InputError(unknown("weight", name, self.term_weights))
        self.term_weights[name].assign(checked_weight(name, weight))

    @property
    def label_losses(self) -> dict[str, Any]:
        """The losses of the labels, by the name of the student's output."""
        return self._labels_term.losses

    @property
    def label_kinds(self) -> dict[str, Kind]:
        """The kinds of those of them that are losses of classes, by the name of the student's output."""
        return self._labels_term.kinds

    def targets(self, data) -> tuple[Any, Targets]:
        """Inputs and targets of what `fit` passes to a step."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        # A network takes texts and structures of inputs as tensors alone.
        x = keras.tree.map_structure(
            lambda part: ops.convert_to_tensor(part) if isinstance(part, np.ndarray) else part, x
        )
        targets = Targets(y, weights, copied=self._copied and weights is not None, outputs=self.pairing.outputs)
        targets.taught = self.pairing.stored(targets.taught)
        if targets.labels is not None:
            targets.labels = without_ignored(self.pairing.by_output(targets.labels), self.label_losses)
        return x, targets

    def teacher_outputs(self, x, targets: Targets | None = None) -> dict[str, Any]:
        """The teacher's outputs of a batch, without a gradient: stored in `targets`, or else made now."""
        taught = self.pairing.taught(x) if targets is None or targets.taught is None else targets.taught
        return {name: ops.stop_gradient(value) for name, value in taught.items()}

    def student_outputs(self, x, training: bool = False) -> dict[str, Any]:
        """The student's outputs of a batch: its logits and the layers that objectives compare, by name."""
        return self.pairing.student(x, training=training)

    def combine(self, taught: Mapping[str, Any], outputs: Mapping[str, Any], targets: Targets) -> Loss:
        """The training loss of a batch."""
        of_labels, labelled = self._labels_term(targets, outputs, self.mean_over_replicas)
        terms = {LABELS: of_labels}
        for name, objective in self.objectives.items():
            also = {key: value for key, value in (("ids", targets.ids), ("training", True)) if key in self._also[name]}
            terms[name] = objective_term(
                name, objective, self.pairing, taught, outputs, targets, self.mean_over_replicas, **also
            )
        weighted = {name: self.term_weights[name].now() * term for name, term in terms.items()}
        task = weighted.pop(LABELS)
        if self.losses:
            task = ops.add(task, added(self.losses))
        # In a training the terms add up to the loss. Evaluation is over labels, whatever batch they are in.
        if self.objectives:
            labelled = self.mean_over_replicas(ops.cast(ops.shape(outputs[self.pairing.outputs[0]])[0], "float32"))
        return Loss(task, ops.sum(list(weighted.values())) if weighted else ops.zeros(()), terms, labelled)

    def update_metrics(self, loss, terms: Mapping, outputs: Mapping, targets: Targets, samples) -> dict[str, Any]:
        """Count a batch in every metric, as so many `samples`; returns their results."""
        names = self.pairing.outputs
        for name, tracker in self._trackers.items():
            if name in terms:
                tracker.update_state(terms[name], sample_weight=samples)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=samples)
            # A mean of Keras's own is that of an output's loss, which Keras makes and `LabelsTerm` replaces.
            elif not isinstance(metric, keras.metrics.Mean):
                labels, answers, weights = as_keras_takes_it(targets, outputs, names, self._labels_term.kinds)
                metric.update_state(labels, answers, sample_weight=weights)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics but those of losses by output, which Keras makes and no step counts in."""
        uncounted = {f"{name}_loss" for name in self.pairing.outputs} if len(self.pairing.outputs) > 1 else set()
        return {name: value for name, value in super().get_metrics_result().items() if name not in uncounted}

    def evaluate_student(self, x, targets: Targets) -> dict[str, Any]:
        """Count a batch without the teacher: the labels' loss and the compiled metrics; returns their results."""
        outputs = self.student_outputs(x)
        term, labelled = self._labels_term(targets, outputs, self.mean_over_replicas)
        results = self.update_metrics(term, {LABELS: term}, outputs, targets, labelled)
        return {name: value for name, value in results.items() if name not in self.objectives}

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Not of a Distiller, which is a training: its student is what is exported."""
        raise InputError("A Distiller is a training. Export the network: distiller.student.export(…)")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Keras builds the compiled loss with this; the steps use `combine`."""
        # Without the weights: Keras cannot spread those of samples over positions.
        return super().compute_loss(x, Targets(y).labels, y_pred, None, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Keras builds the compiled metrics with this; the steps use `update_metrics`."""
        labels, first = Targets(y).labels, self.pairing.outputs[0]
        if labels is None:
            raise InputError(without_labels(first, self.label_kinds.get(first)))
        return super().compute_metrics(x, labels, y_pred)

    @property
    def teacher(self) -> keras.Model:
        """The teacher behind its bridge, not among the layers that are trained.

        Of several, the first that speaks in the student's classes.
        """
        networks = self.teachers
        return next((n for name, n in networks.items() if name not in self.heads), next(iter(networks.values())))

    @property
    def teachers(self) -> dict[str, keras.Model]:
        """The teacher behind each of its bridges, by the first objective that has the bridge."""
        return self.pairing.networks

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; the teachers are those behind the bridges."""
        parts = {
            "student": self.student,
            "objectives": self.objectives,
            "weights": {name: weight.value for name, weight in self.term_weights.items()},
            "networks": joined(self.teachers),
        }
        serialized = {key: keras.saving.serialize_keras_object(part) for key, part in parts.items()}
        return {"name": self.name, **serialized, "first": self.pairing.first, "auxiliary": list(self.heads)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "Distiller":
        """A Distiller of that configuration, with new networks."""
        parts = {key: keras.saving.deserialize_keras_object(value, custom_objects) for key, value in config.items()}
        networks, first, auxiliary = (parts.pop(key) for key in ("networks", "first", "auxiliary"))
        for network in (parts["student"], *networks.values()):
            fuse(network)
        bridges = {name: Ready(network, auxiliary=name in auxiliary) for name, network in parted(networks).items()}
        teacher = next((bridge.network for bridge in bridges.values()), None)
        return cls(teacher=teacher, bridge={name: bridges[first[name]] for name in first}, **parts)

    @property
    def adapters(self) -> dict[str, str]:
        """The adapters that objectives made where shapes differ, by name, in plain words."""
        return {name: objective.adapter for name, objective in self.objectives.items() if objective.adapter}

    def _step(self):
        """How often the optimizer has updated the student."""
        return 0 if self.optimizer is None else self.optimizer.iterations
