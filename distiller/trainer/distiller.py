"""A Keras model that trains a student from a teacher."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import keras
from keras import ops

from distiller.bridges import Bridge
from distiller.bridges.saved_bridge import SavedBridge, joined, parted
from distiller.data.batches import Batches
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.endings import may_be_probabilities
from distiller.networks.feature_extraction import LOGITS
from distiller.networks.scheduled import Number, attach
from distiller.objectives import Objective
from distiller.trainer.base import Loss, Training, deserialized
from distiller.trainer.checks import FirstStep, Look, check_all, check_batch, check_stored, first_batch
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
from distiller.trainer.independent_labels import check_ending, settle_all
from distiller.trainer.label_loss import LabelsTerm, without_ignored, without_labels
from distiller.trainer.loss_kinds import Kind
from distiller.trainer.metrics import as_keras_takes_it, together
from distiller.trainer.pairing import Pairing
from distiller.trainer.targets import LABELS, Targets
from distiller.utils.suggestions import unknown


@keras.saving.register_keras_serializable("distiller")
class Distiller(Training):
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
        self.track((LABELS, *self.objectives))
        self.looked = False  # whether a first batch has shown that networks answer logits
        attach(self, self._step)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The student's logits (batch, C_s)."""
        # A subclassed student may not take a mask.
        return self.student(inputs, training=training, **({} if mask is None else {"mask": mask}))

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`; `loss` is that of the labels. Metrics see the labelled samples, weighted."""
        self.check_loss(loss, given=loss is not None)
        if self.pairing.outputs == [LOGITS]:
            loss, metrics, weighted_metrics = map(self.pairing.by_output, (loss, metrics, weighted_metrics))
        # As weighted metrics they can leave the unlabelled samples out.
        seen = together(metrics, weighted_metrics)
        self.compile_students(optimizer, loss, loss_weights=loss_weights, weighted_metrics=seen, **kwargs)
        self._labels_term = LabelsTerm(
            loss, loss_weights, self.pairing.outputs, sigmoid=may_be_probabilities(self.student)
        )
        check_ending(self.student, self.label_kinds)
        settle_all(self.objectives, self.pairing, self.label_kinds, LOGITS)

    def students_trained(self) -> list[keras.Model]:
        """The student."""
        return [self.student]

    def labelled_outputs(self) -> list[str]:
        """The student's outputs."""
        return self.pairing.outputs

    def marks_unlabelled(self) -> bool:
        """True where the loss of the only output is one of classes."""
        return self.label_kinds.get(LOGITS) is not None

    def look_at_first_batch(self, x: Any, y: Any, batch_size: int) -> tuple[FirstStep, AbstractContextManager[Any]]:
        """Check the first batch, that of a stream from inside the training, and all labels of an array.

        Raises:
            InputError: labels out of range, a teacher or images that hold no numbers, or stored outputs of another
                teacher.
        """
        check_stored(self, x)
        batch = first_batch(x, y, batch_size)
        if batch is not None:
            check_batch(self, batch)
        check_all(self, x.all_targets() if isinstance(x, Batches) else y)
        self.build_before_tracing(batch)
        watch = FirstStep(self, batch)
        return watch, self.looking(Look(self, watch) if batch is None else None)

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

    def targets(self, data: Any) -> tuple[Any, Targets]:
        """Inputs and targets of what `fit` passes to a step."""
        x, y, weights = self.unpack(data)
        targets = Targets(y, weights, copied=self._copied and weights is not None, outputs=self.pairing.outputs)
        targets.teacher_outputs = self.pairing.stored(targets.teacher_outputs)
        if targets.labels is not None:
            targets.labels = without_ignored(self.pairing.by_output(targets.labels), self.label_losses)
        return x, targets

    def teacher_outputs(self, x: Any, targets: Targets | None = None) -> dict[str, Any]:
        """The teacher's outputs of a batch, without a gradient: stored in `targets`, or else made now."""
        stored = None if targets is None else targets.teacher_outputs
        found = self.pairing.teacher_outputs(x) if stored is None else stored
        return {name: ops.stop_gradient(value) for name, value in found.items()}

    def student_outputs(self, x: Any, training: bool = False) -> dict[str, Any]:
        """The student's outputs of a batch: its logits and the layers that objectives compare, by name."""
        return self.pairing.student(x, training=training)

    def combine(self, teacher_outputs: Mapping[str, Any], outputs: Mapping[str, Any], targets: Targets) -> Loss:
        """The training loss of a batch."""
        terms, labelled = self.label_terms(targets, outputs)
        for name, objective in self.objectives.items():
            also = {key: value for key, value in (("ids", targets.ids), ("training", True)) if key in self._also[name]}
            terms[name] = objective_term(
                name, objective, self.pairing, teacher_outputs, outputs, targets, self.mean_over_replicas, **also
            )
        weighted = {name: self.term_weights[name].now() * term for name, term in terms.items()}
        task = weighted.pop(LABELS)
        if self.losses:
            task = ops.add(task, added(self.losses))
        # In a training the terms add up to the loss. Evaluation is over labels, whatever batch they are in.
        if self.objectives:
            labelled = self.mean_over_replicas(ops.cast(ops.shape(outputs[self.pairing.outputs[0]])[0], "float32"))
        return Loss(task, ops.sum(list(weighted.values())) if weighted else ops.zeros(()), terms, labelled)

    def label_terms(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """The term of the labels, and over how many samples it is the mean."""
        term, labelled = self._labels_term(targets, outputs, self.mean_over_replicas)
        return {LABELS: term}, labelled

    def seen_by_metrics(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Labels, outputs and weights by the name of the output, as Keras takes them."""
        return as_keras_takes_it(targets, outputs, self.pairing.outputs, self._labels_term.kinds)

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics but those of losses by output, which Keras makes and no step counts in."""
        uncounted = {f"{name}_loss" for name in self.pairing.outputs} if len(self.pairing.outputs) > 1 else set()
        return {name: value for name, value in super().get_metrics_result().items() if name not in uncounted}

    def way_to_export(self) -> str:
        """The student is the network."""
        return "A Distiller is a training. Export the network: distiller.student.export(…)"

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Keras builds the compiled loss with this; the steps use `combine`."""
        # Without the weights: Keras cannot spread those of samples over positions.
        return super().compute_loss(x, self._as_compiled(Targets(y).labels), y_pred, None, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Keras builds the compiled metrics with this; the steps use `update_metrics`."""
        labels, first = Targets(y).labels, self.pairing.outputs[0]
        if labels is None:
            raise InputError(without_labels(first, self.label_kinds.get(first)))
        return super().compute_metrics(x, self._as_compiled(labels), y_pred)

    def _as_compiled(self, labels: Any) -> Any:
        """Labels in the structure of the compiled losses and metrics: those of an only output without its name."""
        return self.pairing.by_output(labels) if self.pairing.outputs == [LOGITS] else labels

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
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Distiller":
        """A Distiller of that configuration, with new networks."""
        parts = deserialized(config, custom_objects)
        networks, first, auxiliary = (parts.pop(key) for key in ("networks", "first", "auxiliary"))
        for network in (parts["student"], *networks.values()):
            fuse(network)
        bridges = {
            name: SavedBridge(network, auxiliary=name in auxiliary) for name, network in parted(networks).items()
        }
        teacher = next((bridge.network for bridge in bridges.values()), None)
        return cls(teacher=teacher, bridge={name: bridges[first[name]] for name in first}, **parts)

    @property
    def adapters(self) -> dict[str, str]:
        """The adapters that objectives made where shapes differ, by name, in plain words."""
        return {name: objective.adapter for name, objective in self.objectives.items() if objective.adapter}
