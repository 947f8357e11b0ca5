"""Networks that run in a step, and the pairs of outputs that each objective compares."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from distiller.bridges import Bridge
from distiller.bridges.saved_bridge import SavedBridge
from distiller.bridges.unique_layer_names import Apart, renamed
from distiller.errors import InputError
from distiller.networks.feature_extraction import (
    LOGITS,
    check_no_sigmoid,
    check_outputs,
    entry,
    in_words,
    output_names,
    penultimate,
    tap,
)
from distiller.networks.sharing import check_apart
from distiller.networks.subclassed import functional, is_subclassed
from distiller.objectives import Objective
from distiller.objectives.objective import Taps
from distiller.utils.suggestions import unknown

Bridges = Bridge | Mapping[str, Bridge] | None


class Pairing:
    """A teacher and a student, tapped where the objectives look, with the bridges between their label spaces.

    Keras tracks nothing in here: the taps have no variables of their own, and the teacher is not trained.

    Args:
        teacher: network in its own classes.
        student: network in its own.
        objectives: by name.
        bridge: one for all objectives, or by the name of the objective.

    Attributes:
        given: teacher and student by these names, as they were passed.
        student: the tapped student, a dict of outputs.
        outputs: names of the student's outputs that have labels.
        first: of each objective, the first that has the same bridge.
        networks: the bridged teachers, by those first objectives.
        layers: names of the layers that are tapped of each, by the same.
        heads: the student's auxiliary heads, by the same; they are trained and not exported.

    Raises:
        InputError: the networks, layers or bridges do not fit.
    """

    def __init__(
        self, teacher: keras.Model, student: keras.Model, objectives: Mapping[str, Objective], bridge: Bridges
    ):
        self.bridges = _by_objective(bridge, objectives)
        whole = self._checked(teacher, student)
        self.given = {"teacher": teacher, "student": student}
        if any(objective.teacher_layer is None for objective in objectives.values()):
            check_no_sigmoid(whole, role="teacher")
        tapped = tap(student, _layers(objectives.values(), "student_layer"), role="student")
        self.outputs = [LOGITS] if LOGITS in tapped.output else output_names(student)
        self.heads: dict[str, keras.Layer] = {}
        self.networks: dict[str, keras.Model] = {}
        self.layers: dict[str, list[str]] = {}
        self.first: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        taps: list[keras.Model] = []
        extra: dict[str, keras.KerasTensor] = {}
        made: dict[int, str] = {}
        apart = Apart()
        for name in objectives:
            its_bridge = self.bridges[name]
            first = self.first[name] = made.setdefault(id(its_bridge), name)
            # The outputs of a single bridge have their plain names, which stored ones have too.
            self._keys[name] = "" if len({id(b) for b in self.bridges.values()}) == 1 else f"{first}:"
            if first != name:
                continue
            sharing = [o for n, o in objectives.items() if self.bridges[n] is its_bridge]
            self.networks[name] = apart(_of_size(self._bridged(its_bridge, teacher, whole, tapped, sharing), student))
            self.layers[name] = _layers(sharing, "teacher_layer")
            taps.append(_tapped(self.networks[name], self.layers[name], self._keys[name]))
            head = its_bridge.head(self.networks[name])
            if head is not None:
                head = renamed(head, {layer.name: layer for layer in (*tapped.operations, *self.heads.values())})
                self.heads[name] = head
                extra[f"{self._keys[name]}{LOGITS}"] = head(penultimate(student))
        self._asked = dict.fromkeys(
            f"{self._keys[name]}{tap}" for name, one in objectives.items() for tap in _listed(one.teacher_layer)
        )
        check_apart([teacher, *self.networks.values()], student)
        if extra:
            prefixed = {f"head:{name}": value for name, value in extra.items()}
            tapped = keras.Model(entry(tapped), {**tapped.output, **prefixed}, name=tapped.name)
        self.student = tapped
        self.teachers = _merged(taps)
        self._alone = _names_of_only(student)

    def teacher_outputs(self, x: Any) -> dict[str, Any]:
        """The teachers' outputs of a batch, by name, in inference mode."""
        return {name: value for network in self.teachers for name, value in network(x, training=False).items()}

    def by_output(self, given: Any) -> Any:
        """Labels, losses or metrics in the Distiller's structure: by name of several outputs, of one as they are.

        Keras also takes a list of those of several outputs, and a dict of the only one's name.

        Raises:
            InputError: a dict of labels for one output that has another name.
        """
        if self.outputs != [LOGITS]:
            several = isinstance(given, list | tuple) and len(given) == len(self.outputs)
            return dict(zip(self.outputs, given, strict=True)) if several else given
        if not isinstance(given, Mapping):
            return given
        if len(given) != 1 or next(iter(given)) not in self._alone:
            raise InputError(
                f"Expected what belongs to the student's only output, or a dict of its name {sorted(self._alone)}. "
                f"Received: a dict of {list(given)}"
            )
        return next(iter(given.values()))

    def stored(self, given: Any) -> dict[str, Any] | None:
        """The teachers' stored outputs by the names that objectives look for; None where none are given.

        One array is that of the logits, where nothing else is compared.

        Raises:
            InputError: an output is missing that an objective compares.
        """
        if given is None:
            return None
        names = list(self._asked)
        if not isinstance(given, Mapping) and len(names) == 1:
            return {names[0]: given}
        found = {in_words(name): value for name, value in given.items()} if isinstance(given, Mapping) else {}
        if missing := [in_words(name) for name in names if in_words(name) not in found]:
            received = sorted(found) if isinstance(given, Mapping) else f"one {type(given).__name__}"
            raise InputError(
                'Expected "taught" among the targets as a dict of the outputs '
                f"{list(map(in_words, names))} of the teacher. Received: {received}, without {missing}"
            )
        return {name: found[in_words(name)] for name in names}

    def compared(
        self, name: str, objective: Objective, teacher_outputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        """The tensors that an objective compares: of the teacher, and of the student."""
        key = self._keys[name]
        own = f"head:{key}{LOGITS}" if self.first[name] in self.heads else LOGITS
        return _pick(teacher_outputs, objective.teacher_layer, key, LOGITS), _pick(
            outputs, objective.student_layer, "", own
        )

    def symbols(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Teacher outputs and student outputs, as symbols."""
        return {name: value for network in self.teachers for name, value in network.output.items()}, self.student.output

    def _checked(self, teacher: keras.Model, student: keras.Model) -> keras.Model:
        """The teacher as a functional network: one for all bridges, so that they share what is subclassed, too."""
        for role, network in (("teacher", teacher), ("student", student)):
            if not is_subclassed(network):
                check_outputs(network, role=role)
        whole = _of_size(functional(teacher, role="teacher"), student)
        shapes = [network.input_shape for network in (whole, functional(student, role="student"))]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"Expected teacher and student to take the same input. Received: {shapes[0]} and {shapes[1]}"
            )
        return whole

    def _bridged(
        self,
        bridge: Bridge,
        teacher: keras.Model,
        whole: keras.Model,
        student: keras.Model,
        objectives: list[Objective],
    ) -> keras.Model:
        compares_logits = any(objective.teacher_layer is None for objective in objectives)
        if compares_logits and self.outputs == [LOGITS] and len(whole.outputs) > 1:
            raise InputError(
                f"The teacher has the outputs {output_names(whole)} and the student has one. Name the output that an "
                f"objective compares, for example Hinton(teacher_layer={output_names(whole)[0]!r})"
            )
        if type(bridge) is Bridge and (self.outputs != [LOGITS] or not compares_logits):
            return teacher  # layers are compared, and any two label spaces will do
        if self.outputs != [LOGITS] and isinstance(bridge, SavedBridge) and not bridge.auxiliary:
            return bridge.network  # of a saved Distiller: it was the teacher itself
        if self.outputs != [LOGITS]:
            raise InputError(f"Expected a student of one output with a bridge. Received: outputs {self.outputs}")
        network = _of_size(bridge.teacher(whole, student.output[LOGITS].shape[-1]), student)
        shapes = [
            [tuple(tensor.shape) for tensor in each.inputs] for each in (functional(network, role="teacher"), student)
        ]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"Expected the teacher behind {type(bridge).__name__} to take the student's input. "
                f"Received: {shapes[0]} and {shapes[1]}"
            )
        return teacher if type(bridge) is Bridge else network


def _by_objective(bridge: Bridges, objectives: Mapping[str, Objective]) -> dict[str, Bridge]:
    if not isinstance(bridge, Mapping):
        one = Bridge() if bridge is None else bridge
        if not isinstance(one, Bridge):
            raise InputError(
                "Expected `bridge` to be one of `distiller.bridges`, or a dict of name of the objective → bridge. "
                f"Received: {getattr(one, '__name__', one)!r}"
            )
        return dict.fromkeys(objectives, one)
    for name in bridge:
        if name not in objectives:
            raise InputError(unknown("objective with a bridge", name, objectives))
    plain = Bridge()
    return {name: bridge.get(name, plain) for name in objectives}


def _listed(taps: Taps) -> list[str]:
    return [LOGITS] if taps is None else [taps] if isinstance(taps, str) else list(taps)


def _names_of_only(student: keras.Model) -> set[str]:
    """Keras's name of the only output of a network: its key in a dict that the network returns, and its layer."""
    if is_subclassed(student):
        return set()
    answer = getattr(student, "output", None)  # a Sequential model inside another may have none
    keys = set(answer) if isinstance(answer, dict) else set()
    return keys | set(getattr(student, "output_names", ()))


def _layers(objectives: Iterable[Objective], side: str) -> list[str]:
    """The layers that objectives compare of one of the two networks, each once."""
    names: dict[str, None] = {}
    for objective in objectives:
        taps: Taps = getattr(objective, side)
        names |= dict.fromkeys([taps] if isinstance(taps, str) else taps or [])
    return list(names)


def _tapped(network: keras.Model, layers: list[str], key: str) -> keras.Model:
    tapped = tap(network, layers, role="teacher")
    if not key:
        return tapped
    return keras.Model(entry(tapped), {f"{key}{name}": value for name, value in tapped.output.items()})


def _merged(taps: list[keras.Model]) -> list[keras.Model]:
    """One network of those that start from the same tensors, so that what they share runs once."""
    groups: dict[tuple[int, ...], list[keras.Model]] = {}
    for network in taps:
        groups.setdefault(tuple(id(tensor) for tensor in network.inputs), []).append(network)
    return [
        same[0]
        if len(same) == 1
        else keras.Model(entry(same[0]), {name: value for one in same for name, value in one.output.items()})
        for same in groups.values()
    ]


def _of_size(teacher: keras.Model, student: keras.Model) -> keras.Model:
    """A teacher that leaves sizes open, as (None, None, None, 3), with the same layers for the student's input."""
    own, wanted = (getattr(network, "input_shape", None) for network in (teacher, student))
    if is_subclassed(teacher) or not isinstance(own, tuple) or not isinstance(wanted, tuple) or own == wanted:
        return teacher
    if len(own) != len(wanted) or any(a not in (None, b) for a, b in zip(own, wanted, strict=True)):
        return teacher
    inputs = keras.Input(batch_shape=wanted, dtype=teacher.inputs[0].dtype, name=teacher.inputs[0].name)
    if not isinstance(teacher, keras.Sequential):
        inputs = keras.tree.pack_sequence_as(teacher.input, [inputs])
    return keras.models.clone_model(teacher, input_tensors=inputs, clone_function=lambda layer: layer)


def _pick(outputs: Mapping[str, Any], taps: Taps, key: str, logits: str) -> Any:
    if taps is None:
        if logits not in (name.removeprefix(key) for name in outputs):
            raise InputError(
                "Expected `teacher_layer` and `student_layer` of an objective on networks of several outputs. "
                f"Received: none, with outputs {sorted(in_words(name.removeprefix(key)) for name in outputs)}"
            )
        return outputs[f"{key}{logits}"]
    return outputs[f"{key}{taps}"] if isinstance(taps, str) else [outputs[f"{key}{name}"] for name in taps]
