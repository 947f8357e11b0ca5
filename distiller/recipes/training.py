"""Base of every section of a recipe, and the budget of a training."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


class Section(BaseModel):
    """A part of a recipe; immutable, and nothing in it may be misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Mixing(Section):
    """`data.MixUp` or `data.CutMix`."""

    name: Literal["mixup", "cutmix"]
    alpha: Positive = 1.0


class Ramp(Section):
    """A number that goes in a straight line from `start` to `end` over the first epochs, and stays there."""

    start: NotNegative = 0.0
    end: NotNegative
    epochs: Count


class Size(Section):
    """So many epochs in which a network enlarges its images to this height and width."""

    size: Count
    epochs: Count


def is_ramp(value: Any) -> bool:
    """Return whether an argument of an objective is meant as a ramp.

    >>> is_ramp({"start": 8, "end": 1}), is_ramp({"channels": 16}), is_ramp(4.0)
    (True, False, False)
    """
    return isinstance(value, dict) and bool(value) and value.keys() <= Ramp.model_fields.keys()


class Training(Section):
    """Budget and optimiser: SGD with Nesterov momentum or AdamW, linear warm-up, cosine to zero.

    `weight_decay` is decoupled, as in Keras's optimisers: each step takes rate × weight_decay off a weight. With SGD of
    momentum m it is 1/(1 − m) times the L2 coefficient of the papers, so that 0.005 stands for their 5e-4.
    """

    epochs: Count
    batch_size: Count = 128
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd",
        description="adamw is for pretrained networks, with rates near 0.001 and `momentum` as its beta_1",
    )
    learning_rate: Positive = 0.1
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NotNegative = 0.005
    precision: Precision = "float32"
    crop: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    steps_per_epoch: Count | None = Field(default=None, description="by default one pass over all training images")
    mixing: Mixing | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="how much of a hard label is spread over all classes"
    )
    dot: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="`optimizers.DOT` with this delta, for a student with a teacher, in place of SGD"
    )

    rates: dict[str, Positive] = Field(
        default={},
        description="factors of the learning rate, each of the layers whose name begins so: a new head beside "
        "pretrained layers learns faster",
    )
    sizes: list[Size] = Field(
        default=[],
        description="of the first epochs, for a network that enlarges its images; the others are at its own size",
    )

    @model_validator(mode="after")
    def _optimizer(self) -> "Training":
        if self.dot is not None and self.optimizer != "sgd":
            raise ValueError(f"expected one of dot and optimizer {self.optimizer}: DOT is an optimiser in place of SGD")
        if self.optimizer == "adamw" and "learning_rate" not in self.model_fields_set:
            raise ValueError("expected a learning_rate with optimizer adamw, such as 0.001: the default is one of SGD")
        if self.dot is not None and not self.dot <= self.momentum < 1 - self.dot:
            raise ValueError(
                f"expected dot of momentum at most, and the sum of both below 1; they are {self.dot} and "
                f"{self.momentum}"
            )
        return self
