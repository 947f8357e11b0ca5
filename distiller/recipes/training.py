"""Base of every section of a recipe, and the budget of a training."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from distiller.utils.backend import load_keras

if TYPE_CHECKING:
    from distiller.data.augmentation import Augmentation

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

    name: Literal["mixup", "cutmix"] = Field(
        description="mixup blends two images, cutmix pastes a rectangle of one into the other"
    )
    alpha: Positive = Field(default=1.0, description="shares are drawn from the distribution Beta(alpha, alpha)")


class Ramp(Section):
    """A number that goes in a straight line from `start` to `end` over the first epochs, and stays there."""

    start: NotNegative = Field(default=0.0, description="at the first step")
    end: NotNegative = Field(description="after `epochs`, and from then on")
    epochs: Count = Field(description="that it takes")


class Size(Section):
    """So many epochs in which a network enlarges its images to this height and width."""

    size: Count = Field(description="in pixels")
    epochs: Count = Field(description="at this size")


class EarlyStopping(Section):
    """The end of a training whose validation split no longer gets better; the best epoch's weights are kept."""

    patience: Count = Field(default=5, description="epochs without a better one")
    metric: Literal["val_accuracy", "val_loss"] = Field(default="val_accuracy", description="that is watched")

    @property
    def lower_is_better(self) -> bool:
        """True if the metric is a loss."""
        return self.metric == "val_loss"


class Drop(Section):
    """A step of the schedule `step`: from this share of the training on, the rate is multiplied by `factor`."""

    at: Share = Field(description="share of the training")
    factor: Positive = Field(default=0.1, description="of the rate")


def is_ramp(value: Any) -> bool:
    """Return whether an argument of an objective is meant as a ramp.

    >>> is_ramp({"start": 8, "end": 1}), is_ramp({"channels": 16}), is_ramp(4.0)
    (True, False, False)
    """
    return isinstance(value, dict) and bool(value) and value.keys() <= Ramp.model_fields.keys()


class Training(Section):
    """Budget and optimizer: SGD with Nesterov momentum or AdamW, linear warm-up, then a schedule of the rate.

    `weight_decay` is decoupled, as in Keras's optimizers: each step takes rate × weight_decay off a weight. With SGD of
    momentum m it is 1/(1 − m) times the L2 coefficient of the papers, so that 0.005 stands for their 5e-4.
    """

    epochs: Count = Field(description="passes over the training images, or of `steps_per_epoch` steps")
    batch_size: Count = Field(default=128, description="images per step")
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd",
        description="adamw is for pretrained networks, with rates near 0.001 and `momentum` as its beta_1",
    )
    learning_rate: Positive = Field(default=0.1, description="the highest, at the end of the warm-up")
    schedule: Literal["cosine", "constant", "step"] = Field(
        default="cosine", description="of the rate after the warm-up: to zero along a cosine, as it is, or in `drops`"
    )
    drops: list[Drop] = Field(default=[], description="of the schedule step, such as [{at: 0.5}, {at: 0.75}]")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1,
        description="share of the training over which the rate rises linearly, from a twenty-fifth of `learning_rate`",
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.9, description="of SGD; beta_1 of AdamW")
    weight_decay: NotNegative = Field(default=0.005, description="decoupled, as said above")
    clip_norm: Positive | None = Field(default=None, description="limit of the norm of all gradients together")
    clip_value: Positive | None = Field(default=None, description="limit of every number of a gradient")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="momentum, such as 0.999, of an exponential moving average of the weights, which is what is kept",
    )
    early_stopping: EarlyStopping | None = None
    callbacks: list[Literal["TensorBoard", "CSVLogger"]] = Field(
        default=[], description="of Keras, each with its files in the folder of the training"
    )
    precision: Precision = Field(default="float32", description="Keras's dtype policy of the networks that are trained")
    crop: Annotated[int, Field(ge=0)] = Field(
        default=0, description="pixels by which an image is shifted at random at most, up or down and left or right"
    )
    flip: bool = Field(default=False, description="mirror a random half of the images left to right")
    augmentation: list[dict[str, Any]] = Field(
        default=[],
        description="layers of Keras after crop and flip, each by its name with its arguments, such as "
        "[{name: RandomRotation, factor: 0.05}, {name: RandAugment}]; teacher and student see the same views",
    )
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
        if (self.schedule == "step") != bool(self.drops):
            raise ValueError("expected drops, such as [{at: 0.5}, {at: 0.75}], with the schedule step and no other")
        places = [drop.at for drop in self.drops]
        if places != sorted(set(places)) or (places and places[0] <= self.warmup):
            raise ValueError(f"expected drops one after another, the first after the warm-up. Received: {places}")
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("expected one of clip_norm and clip_value")
        if self.augmentation:  # Keras comes with its layers, and takes seconds
            load_keras()
            self.views()  # which says what is wrong with them
        if self.dot is not None and self.optimizer != "sgd":
            raise ValueError(f"expected one of dot and optimizer {self.optimizer}: DOT is an optimizer in place of SGD")
        if self.optimizer == "adamw" and "learning_rate" not in self.model_fields_set:
            raise ValueError("expected a learning_rate with optimizer adamw, such as 0.001: the default is one of SGD")
        if self.dot is not None and not self.dot <= self.momentum < 1 - self.dot:
            raise ValueError(
                f"expected dot of momentum at most, and the sum of both below 1; they are {self.dot} and "
                f"{self.momentum}"
            )
        return self

    def views(self) -> "Augmentation":
        """Random views of the training.

        Raises:
            ValueError: `augmentation` names no layers of Keras, or with arguments that they do not take.
        """
        from distiller.data.augmentation import Augmentation
        from distiller.errors import InputError

        try:
            return Augmentation(self.crop, self.flip, self.augmentation or None)
        except InputError as error:
            raise ValueError(f"augmentation: {error}") from error
