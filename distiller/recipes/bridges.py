"""Schema of a recipe's bridges."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distiller.recipes.training import Count, Positive, Section, Seed, Training


class NoBridge(Section):
    """No bridge: objectives compare features and relations, or the two label spaces are one."""

    name: Literal["none"]


class FineTuneBridge(Section):
    """`bridges.FineTune` and the budget of its training, on the images that have labels."""

    name: Literal["fine_tune"]
    training: Training
    seed: Seed = Field(default=0, description="added to that of the labels: tells several copies apart")


class ProbeBridge(Section):
    """`bridges.Probe`."""

    name: Literal["probe"]
    strength: Positive = 0.1
    hidden: Count | None = None


class SubsetBridge(Section):
    """`bridges.Subset`: the student's classes, found by name among the teacher's."""

    name: Literal["subset"]


class ClassMapBridge(Section):
    """`bridges.ClassMap`: the student's classes, and which of the teacher's each of them is."""

    name: Literal["class_map"]
    groups: dict[str, list[str]] | None = None
    file: str | None = Field(default=None, description="a YAML file of such groups")
    known: str | None = Field(default=None, description="a map that is packaged, such as cifar100_coarse")
    rest: str | None = Field(default=None, description="the student's class for all other classes of the teacher")
    allow_missing: bool = Field(default=False, description="classes of the student may be none of the teacher's")

    @model_validator(mode="after")
    def _exactly_one(self) -> "ClassMapBridge":
        if sum(source is not None for source in (self.groups, self.file, self.known)) != 1:
            raise ValueError("expected exactly one of groups, file and known")
        return self


class TransportBridge(Section):
    """`bridges.Transport`."""

    name: Literal["transport"]
    smoothing: Positive = 1.0
    temperature: Positive = 1.0
    steps: Count = 200


class EnsembleBridge(Section):
    """`teachers.ensemble` of the teacher behind several bridges: one network that teaches the mean of what they say."""

    name: Literal["ensemble"]
    members: list[FineTuneBridge | ProbeBridge | SubsetBridge | ClassMapBridge | TransportBridge] = Field(
        min_length=2, description="bridges; a copy that is fine-tuned once more has another seed"
    )
    confidence: Literal["entropy", "maximum"] | None = None

    @model_validator(mode="after")
    def _each_once(self) -> "EnsembleBridge":
        for place, member in enumerate(self.members):
            if member in self.members[:place]:
                raise ValueError(f"expected members that differ. Received twice: {member.name}")
        return self


class AuxiliaryHeadBridge(Section):
    """`bridges.AuxiliaryHead`."""

    name: Literal["auxiliary_head"]


Bridge = Annotated[
    NoBridge
    | FineTuneBridge
    | ProbeBridge
    | SubsetBridge
    | ClassMapBridge
    | TransportBridge
    | EnsembleBridge
    | AuxiliaryHeadBridge,
    Field(discriminator="name"),
]
