"""One way to train the student."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from distiller.recipes.bridges import Bridge
from distiller.recipes.training import NotNegative, Ramp, Section, Share, is_ramp
from distiller.utils.suggestions import unknown


class Quantize(Section):
    """Quantization-aware training, `tflite.quantize_aware`: the student learns with the rounding of its TFLite file."""

    engine: Literal["native", "tfmot"] = Field(
        default="native", description="this package's own, or tensorflow-model-optimization (the extra tfmot)"
    )
    scheme: Literal["int8", "int16x8", "int4"] = Field(default="int8", description="of the file that is made")
    exclude: list[str] = Field(default=[], description="patterns of the names of layers that stay in floating point")
    freeze: Share = Field(default=0.5, description="of the training, after which the ranges of activations stay")


class WarmStart(Section):
    """Weights with which a student begins: those of the same network, trained on these classes or on others."""

    file: str = Field(
        description="a .keras or .h5 file, such as the student of another run; a head of other classes is new"
    )


class Arm(Section):
    """One way to train the student. Without objectives it is the student alone, on hard labels."""

    start: str | None = Field(
        default=None, description="the arm whose trained student this one goes on with; by default a new student"
    )
    warm_start: WarmStart | None = None
    pseudo_labels: bool = Field(
        default=False,
        description="without objectives: images without a label have the class that the teacher finds most likely, and "
        "the student learns from hard labels alone",
    )
    quantize: Quantize | None = Field(default=None, description="train it quantization-aware; its file has this scheme")
    objectives: dict[str, dict[str, Any]] = Field(
        default={},
        description="name, or file.py:Class of an objective of your own, and arguments; a number such as a temperature "
        "may be a ramp {start, end, epochs}",
    )
    weights: dict[str, NotNegative | Ramp] = Field(
        default={},
        description="of each objective's loss by its name, and of the labels' by `labels`; 1 where not given",
    )
    unlabelled: bool = Field(default=True, description="also use images without a label, where there are objectives")
    bridge: Bridge | None = Field(default=None, description="in place of the recipe's")
    bridges: dict[str, Bridge] = Field(default={}, description="of single objectives, by their names")
    training: dict[str, Any] = Field(default={}, description="what differs from the recipe's own training")

    @model_validator(mode="after")
    def _weights_of_objectives(self) -> "Arm":
        for name in ("labels", "loss"):
            if name in self.objectives:
                raise ValueError(f"objectives: {name!r} is the name of another term. Name the objective otherwise")
        for name in self.weights:
            if name not in ("labels", *self.objectives):
                raise ValueError(unknown("weight", name, ("labels", *self.objectives)))
        if not self.objectives and self.weights.get("labels", 1.0) != 1.0:
            raise ValueError("weights: expected objectives beside the labels; the labels alone have the weight 1")
        return self

    @model_validator(mode="after")
    def _one_beginning(self) -> "Arm":
        if self.start is not None and self.warm_start is not None:
            raise ValueError("expected one of start and warm_start")
        return self

    @model_validator(mode="after")
    def _pseudo_labels_alone(self) -> "Arm":
        if self.pseudo_labels and (self.objectives or not self.unlabelled):
            raise ValueError(
                "expected pseudo_labels without objectives and without unlabelled: false; with objectives the "
                "teacher's outputs teach images without a label already"
            )
        return self

    @property
    def needs_teacher(self) -> bool:
        """True if the student learns from the teacher: its outputs, or hard labels that it gives."""
        return bool(self.objectives) or self.pseudo_labels

    @model_validator(mode="after")
    def _bridges_of_objectives(self) -> "Arm":
        for name in self.bridges:
            if name not in self.objectives:
                raise ValueError(unknown("objective with a bridge", name, self.objectives))
        return self

    @model_validator(mode="after")
    def _ramps(self) -> "Arm":
        for name, arguments in self.objectives.items():
            _check_ramps(f"objectives.{name}", arguments)
        return self


def _check_ramps(place: str, arguments: Mapping[str, Any]) -> None:
    """Also those of an objective inside of another."""
    for key, value in arguments.items():
        if is_ramp(value):
            _check_ramp(f"{place}.{key}", value)
        elif isinstance(value, dict):
            _check_ramps(f"{place}.{key}", value)


def _check_ramp(place: str, value: Any) -> None:
    try:
        Ramp.model_validate(value)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join([place, *map(str, detail["loc"])])
        raise ValueError(f"{where}: {detail['msg']}. Expected a ramp {{start, end, epochs}}") from None


def in_order(arms: Mapping[str, Arm]) -> list[str]:
    """The names of arms, each after the one whose student it goes on with.

    Raises:
        ValueError: an arm goes on with one that does not exist, with itself, or with a quantization-aware student.
    """
    found: dict[str, None] = {}

    def add(name: str, waiting: tuple[str, ...]) -> None:
        start = arms[name].start
        if start is not None:
            place = f"arms.{name}.start: "
            if start not in arms:
                raise ValueError(place + unknown("arm", start, arms))
            if start in (name, *waiting):
                raise ValueError(f"{place}expected an arm that does not go on with this one. Received: {start!r}")
            if arms[start].quantize:
                raise ValueError(f"{place}expected a student that computes in floating point. Received: {start!r}")
            add(start, (name, *waiting))
        found[name] = None

    for name in arms:
        add(name, ())
    return list(found)


def chains(arms: Mapping[str, Arm]) -> list[list[str]]:
    """The names of arms in lists: those that go on with one another's students together, each after the one before it.

    >>> chains({"aware": Arm(start="taught", quantize=Quantize()), "alone": Arm(), "taught": Arm()})
    [['taught', 'aware'], ['alone']]
    """
    found: dict[str, list[str]] = {}
    for name in in_order(arms):
        first = name
        while (before := arms[first].start) is not None:
            first = before
        found.setdefault(first, []).append(name)
    return list(found.values())
