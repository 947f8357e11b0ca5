"""Students that teach each other, without a teacher."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from distiller import objectives
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.endings import may_be_probabilities
from distiller.networks.feature_extraction import LOGITS, check_logits
from distiller.networks.scheduled import Number, ScheduledValue, as_number, attach, corners
from distiller.objectives import Objective
from distiller.objectives.independent import Independent
from distiller.objectives.logits.checks import not_negative
from distiller.trainer.base import Loss, Training, deserialized
from distiller.trainer.distillation_loss import added
from distiller.trainer.independent_labels import check_ending, settle
from distiller.trainer.label_loss import LabelsTerm, without_ignored
from distiller.trainer.metrics import seen
from distiller.trainer.targets import LABELS, Targets, over, rows
from distiller.utils.suggestions import unknown

_PEERS = "peers"


@keras.saving.register_keras_serializable("distiller")
class Mutual(Training):
    """Trains several students at once, each on the labels and on what the others answer.

    Zhang et al. 2018, 1706.00384, equations 5 and 6: of K students, student k has the loss

        loss(labels, student_k) + peers · Σ_{l ≠ k} objective(student_l, student_k) / (K − 1),

    where the objective is KL(softmax(student_l) ‖ softmax(student_k)) and sends no gradient to student l. The loss of
    the model is the sum of theirs. In a step all students answer once and one optimizer moves them all; the paper moves
    them in turn, and lets each answer again after its turn. Clipping by the global norm would couple them.

    Labels are those of a `Distiller`: integers, −1 where unknown (such a sample has only peers), or probabilities; for
    a loss of numbers NaN where unknown. Metrics are by student:
    `NAME_labels` and `NAME_peers`, both unweighted, and `NAME_` and what `compile` names. `evaluate` asks the labels
    alone.

    Args:
        students: networks with logits (batch, C) for the same inputs, two or more; a dict names them, of a list they
            are `student1`, `student2`, …. After training each is a plain model: `mutual.students["student1"].save(…)`.
        objective: of logits; by default `Hinton(temperature=1.0)`, the paper's.
        peers: weight of the others' term: a number or a schedule over steps.

    Raises:
        InputError: fewer than two students, some that share layers or differ in inputs or classes, or an objective of
            something else than logits.

    >>> import keras
    >>> from distiller.teachers import Mutual
    >>> import numpy as np
    >>> students = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]) for _ in range(2)]
    >>> mutual = Mutual(students)
    >>> mutual.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = mutual.fit(np.ones((4, 2)), np.array([0, 1, 2, -1]), verbose=0)
    >>> sorted(history.history)
    ['loss', 'student1_labels', 'student1_peers', 'student2_labels', 'student2_peers']
    """

    def __init__(
        self,
        students: Mapping[str, keras.Model] | Sequence[keras.Model],
        *,
        objective: Objective | str | dict[str, Any] | None = None,
        peers: Number = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.students = checked_students(students)
        self.objective = objectives.get(objective or objectives.Hinton(temperature=1.0))
        check_objective(self.objective, self.students)
        weight = as_number(peers)
        for number in corners(weight):
            not_negative("peers", number)
        self.peers = ScheduledValue(weight)
        self.track(f"{name}_{term}" for name in self.students for term in (LABELS, _PEERS))
        attach(self, self._step)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The logits of every student, (batch, C) by name."""
        return {name: student(inputs, training=training, mask=mask) for name, student in self.students.items()}

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`; `loss` is that of the labels.

        Loss and metrics are those of all students, or a dict by the name of the student.
        """
        names = list(self.students)
        losses = {name: given for name, given in by_student("loss", loss, names).items() if given is not None}
        self.check_loss(loss, given=len(losses) == len(names))
        seen = [by_student("metrics", given, names) for given in (metrics, weighted_metrics)]
        # As weighted metrics they can leave the unlabelled samples out.
        each = {name: [copied(metric) for given in seen for metric in listed(given[name])] for name in names}
        # One loss for Keras: of several it would keep a metric each, and no step of ours counts in them.
        self.compile_students(
            optimizer, losses[names[0]], weighted_metrics=each if any(each.values()) else None, **kwargs
        )
        self._labels_terms = {
            name: LabelsTerm(given, None, [LOGITS], sigmoid=may_be_probabilities(self.students[name]))
            for name, given in losses.items()
        }
        kinds = [term.kinds.get(LOGITS) for term in self._labels_terms.values()]
        if len({kind is not None and kind.labels == "binary" for kind in kinds}) > 1:
            raise InputError("Expected a binary loss for all students or for none. Received: one for some of them")
        for name, term in self._labels_terms.items():
            settle(_PEERS, self.objective, term.kinds.get(LOGITS), self.students[name].output_shape[-1])
            check_ending(self.students[name], term.kinds)

    def students_trained(self) -> list[keras.Model]:
        """All students."""
        return list(self.students.values())

    def marks_unlabelled(self) -> bool:
        """True where the loss of a student is one of classes."""
        return any(term.kinds for term in self._labels_terms.values())

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`."""
        if not self.compiled:
            return {}
        losses = {name: term.losses[LOGITS] for name, term in self._labels_terms.items()}
        return {**super().get_compile_config(), "loss": keras.saving.serialize_keras_object(losses)}

    def targets(self, data: Any) -> tuple[Any, Targets]:
        """Inputs and targets of what `fit` passes to a step."""
        x, y, weights = self.unpack(data)
        targets = Targets(y, weights)
        for term in self._labels_terms.values():
            targets.labels = without_ignored(targets.labels, term.losses)
        return x, targets

    def teacher_outputs(self, x: Any, targets: Targets) -> dict[str, Any]:
        """Nothing: the teachers are the students."""
        return {}

    def student_outputs(self, x: Any, training: bool = False) -> dict[str, Any]:
        """The students' logits of a batch, by name."""
        return self(x, training=training)

    def combine(self, teacher_outputs: Mapping[str, Any], outputs: Mapping[str, Any], targets: Targets) -> Loss:
        """The training loss of a batch."""
        of_labels, _ = self.label_terms(targets, outputs)
        of_peers = {f"{name}_{_PEERS}": self._of_peers(name, outputs, targets) for name in outputs}
        task = ops.sum(list(of_labels.values())) + added(self.losses)
        # As in a Distiller: the terms of a training add up to its loss, and evaluation is over labels.
        samples = self.mean_over_replicas(ops.cast(ops.shape(next(iter(outputs.values())))[0], "float32"))
        distillation = self.peers.now() * ops.sum(list(of_peers.values()))
        return Loss(task, distillation, {**of_labels, **of_peers}, samples)

    def seen_by_metrics(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Labels, logits and weights by the name of the student."""
        return as_keras_takes_it(targets, outputs, self._labels_terms)

    def way_to_export(self) -> str:
        """Each student is a network."""
        return f"Export one of the networks: mutual.students[{next(iter(self.students))!r}].export(…)"

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Keras builds the compiled loss with this; the steps use `combine`."""
        return super().compute_loss(x, Targets(y).labels, next(iter(y_pred.values())), None, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Keras builds the compiled metrics with this; the steps use `update_metrics`."""
        return super().compute_metrics(x, dict.fromkeys(self.students, Targets(y).labels), y_pred, None)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        parts = {"students": dict(self.students), "objective": self.objective, "peers": self.peers.value}
        return {"name": self.name, **{key: keras.saving.serialize_keras_object(part) for key, part in parts.items()}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Mutual":
        """One of that configuration, with new students."""
        parts = deserialized(config, custom_objects)
        for student in parts["students"].values():
            fuse(student)
        return cls(**parts)

    def label_terms(self, targets: Targets, outputs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """The labels' term of each student, and over how many rows the first is the mean."""
        found = {
            f"{name}_{LABELS}": self._labels_terms[name](targets, {LOGITS: logits}, self.mean_over_replicas)
            for name, logits in outputs.items()
        }
        return {name: term for name, (term, _) in found.items()}, next(iter(found.values()))[1]

    def _of_peers(self, name: str, outputs: Mapping[str, Any], targets: Targets) -> Any:
        own = outputs[name]
        others = [logits for other, logits in outputs.items() if other != name]
        per_sample = sum(self.objective(other, own, targets.labels) for other in others) / len(others)
        counted = rows(own, weights=targets.weights)
        total = ops.sum(per_sample if counted is None else per_sample * counted)
        return over(total, self.mean_over_replicas(ops.cast(ops.size(per_sample), "float32")))


def checked_students(students: Mapping[str, keras.Model] | Sequence[keras.Model]) -> dict[str, keras.Model]:
    """Students by name: `student1`, `student2`, … where they are a list.

    Raises:
        InputError: fewer than two, no logits, other inputs or classes than the first, or layers in several of them.
    """
    if not isinstance(students, Mapping):
        students = {f"student{number}": student for number, student in enumerate(students, start=1)}
    if len(students) < 2:
        raise InputError(f"Expected two or more students. Received: {len(students)}")
    owners: dict[int, str] = {}
    shapes = {}
    for name, student in students.items():
        try:
            check_logits(student, role="student")
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        shapes[name] = [tuple(tensor.shape) for tensor in (*student.inputs, *student.outputs)]
        for variable in student.variables:
            if owners.setdefault(id(variable), name) != name:
                raise InputError(
                    f"Expected students of their own. Received: {owners[id(variable)]} and {name} share layers"
                )
    if len({str(shape) for shape in shapes.values()}) > 1:
        described = ", ".join(f"{name} {shape[:-1]} to {shape[-1]}" for name, shape in shapes.items())
        raise InputError(f"Expected students of the same inputs and classes. Received: {described}")
    return dict(students)


def check_objective(objective: Objective, students: Mapping[str, keras.Model]) -> None:
    """Raise InputError unless `objective` compares logits like theirs."""
    if objective.compares != "logits" or objective.teacher_layer or objective.student_layer or objective.needs_ids:
        raise InputError(f"Expected an objective of logits. Received: {type(objective).__name__}")
    logits = next(iter(students.values())).outputs[0]
    if isinstance(objective, Independent):
        objective.settle(independent=False)  # unless it says so itself; of several logits the loss tells
    try:
        objective(logits, logits, keras.KerasTensor((None,), dtype="int32"))
    except (ValueError, TypeError) as error:
        one = isinstance(objective, Independent) and logits.shape[-1] == 1
        way_out = ". For one independent label give objectives.Hinton(1.0, independent=True)" if one else ""
        raise InputError(f"The objective does not fit the students: {error}{way_out}") from error


def by_student(argument: str, given: Any, names: Sequence[str]) -> dict[str, Any]:
    """`given` by the name of the student: a dict by name as it is, and anything else for each.

    Raises:
        InputError: a name that no student has.
    """
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    for name in given:
        if name not in names:
            raise InputError(unknown(f"student in `{argument}`", name, names))
    return {name: given.get(name) for name in names}


def listed(metrics: Any) -> list[Any]:
    """Metrics as `keras.Model.compile` takes them, as a list."""
    return list(metrics) if isinstance(metrics, list | tuple) else [] if metrics is None else [metrics]


def copied(metric: Any) -> Any:
    """A metric of a student's own, for it counts."""
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric


def as_keras_takes_it(
    targets: Targets, outputs: Mapping[str, Any], terms: Mapping[str, LabelsTerm]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Labels, answers and weights by the name of the student; unlabelled samples weigh nothing."""
    found = {
        name: seen(targets, {LOGITS: logits}, LOGITS, terms[name].kinds.get(LOGITS)) for name, logits in outputs.items()
    }
    labels, weights = ({name: parts[place] for name, parts in found.items()} for place in range(2))
    return labels, dict(outputs), weights
