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
    strength: Positive = Field(default=0.1, description="inverse of the L2 penalty, as scikit-learn's `C`")
    hidden: Count | None = Field(default=None, description="units of a hidden layer; by default the head is linear")


class SubsetBridge(Section):
    """`bridges.Subset`: the student's classes, found by name among the teacher's."""

    name: Literal["subset"]


class ClassMapBridge(Section):
    """`bridges.ClassMap`: the student's classes, and which of the teacher's each of them is."""

    name: Literal["class_map"]
    groups: dict[str, list[str]] | None = Field(
        default=None, description="for each class of the student, the teacher's classes that it stands for"
    )
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
    smoothing: Positive = Field(
        default=1.0, description="weight, in images, of a uniform row mixed into each row, so that no probability is 0"
    )
    temperature: Positive = Field(default=1.0, description="the teacher's logits are divided by it before the softmax")
    steps: Count = Field(default=200, description="of the fit, at most")


class EnsembleBridge(Section):
    """`teachers.ensemble` of the teacher behind several bridges: one network that teaches the mean of what they say."""

    name: Literal["ensemble"]
    members: list[FineTuneBridge | ProbeBridge | SubsetBridge | ClassMapBridge | TransportBridge] = Field(
        min_length=2, description="bridges; a copy that is fine-tuned once more has another seed"
    )
    confidence: Literal["entropy", "maximum"] | None = Field(
        default=None, description="weigh the members for each image by how sure they are; by default equally"
    )

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
