"""What a recipe may say. Unknown keys and impossible values are errors that name the place."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


class Section(BaseModel):
    """A part of a recipe; immutable, and nothing in it may be misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Which images: a name of `data.load` or a folder, and the share of the training images held out."""

    name: str
    validation: Share = 0.1
    classes: list[str] | None = Field(default=None, description="only these classes, in this order")
    image_size: tuple[Count, Count] = Field(default=(32, 32), description="images of a folder are resized to this")


class Labels(Section):
    """How many labels the student may see; the images without one stay, for the teacher to speak of."""

    fraction: Fraction | None = None
    per_class: Count | None = None
    seed: int | None = Field(
        default=None,
        description="of which labels those are, and of the bridge, for all students; by default each student's seed",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "Labels":
        if self.fraction is not None and self.per_class is not None:
            raise ValueError("expected one of fraction and per_class")
        return self


class Network(Section):
    """A network of the zoo and its options."""

    name: str
    options: dict[str, Any] = {}


class Training(Section):
    """Budget and optimiser: SGD with Nesterov momentum, linear warm-up, cosine to zero.

    `weight_decay` is decoupled, as in Keras's optimisers: each step takes rate × weight_decay off a weight. With
    momentum m it is 1/(1 − m) times the L2 coefficient of the papers, so that 0.005 stands for their 5e-4.
    """

    epochs: Count
    batch_size: Count = 128
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.005
    precision: Precision = "float32"
    crop: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    steps_per_epoch: Count | None = Field(default=None, description="by default one pass over all training images")


class TrainRecipe(Section):
    """A recipe of `distiller train`: one network trained on hard labels."""

    kind: Literal["train"]
    name: str = Field(default="", description="the recipe's own name, where not given")
    summary: str
    data: Data
    model: Network
    training: Training
    seed: int = 0


class Teacher(Section):
    """Where the teacher comes from: exactly one of the three."""

    load: str | None = Field(default=None, description="name of packaged weights")
    file: str | None = Field(default=None, description="path of a .keras file")
    train: TrainRecipe | None = Field(default=None, description="trained first, as `distiller train` does")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Teacher":
        if sum(source is not None for source in (self.load, self.file, self.train)) != 1:
            raise ValueError("expected exactly one of load, file and train")
        return self


class FineTuneBridge(Section):
    """`bridges.FineTune` and the budget of its training, on the images that have labels."""

    name: Literal["fine_tune"]
    training: Training


class ProbeBridge(Section):
    """`bridges.Probe`."""

    name: Literal["probe"]
    strength: Annotated[float, Field(gt=0)] = 0.1


class SubsetBridge(Section):
    """`bridges.Subset`: the student's classes, found by name among the teacher's."""

    name: Literal["subset"]


Bridge = Annotated[FineTuneBridge | ProbeBridge | SubsetBridge, Field(discriminator="name")]


class Arm(Section):
    """One way to train the student. Without objectives it is the student alone, on hard labels."""

    objectives: dict[str, dict[str, Any]] = {}
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    unlabelled: bool = Field(default=True, description="also use images without a label, where there are objectives")


class Export(Section):
    """TFLite files to make of every student."""

    schemes: list[Literal["float32", "float16", "dynamic", "int8"]] = [
        "float32",
        "float16",
        "dynamic",
        "int8",
    ]
    calibration: Count = Field(default=500, description="training images that post-training quantization sees")


class Benchmark(Section):
    """How latency is measured on this machine."""

    threads: Count = 1
    runs: Count = 200


class RunRecipe(Section):
    """A recipe of `distiller run`: from a teacher to measured TFLite students."""

    kind: Literal["run"]
    name: str = Field(default="", description="the recipe's own name, where not given")
    summary: str
    data: Data
    labels: Labels = Labels()
    teacher: Teacher
    bridge: Bridge | None = None
    student: Network
    training: Training
    arms: dict[str, Arm]
    seeds: list[int] = [0]
    export: Export = Export()
    benchmark: Benchmark = Benchmark()

    @model_validator(mode="after")
    def _something_to_compare(self) -> "RunRecipe":
        if not self.arms or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("expected at least one arm and one seed, and no seed twice")
        return self

    def labels_seed(self, seed: int) -> int:
        """Of the labels that the student of `seed` sees, and of its bridge, which must not have seen others."""
        return seed if self.labels.seed is None else self.labels.seed

    @property
    def bridge_seeds(self) -> list[int]:
        """Of the bridges that the students need, each once."""
        return list(dict.fromkeys(self.labels_seed(seed) for seed in self.seeds))
