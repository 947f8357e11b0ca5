"""Schema of recipes. Unknown keys and impossible values are errors that name the place."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from distiller.recipes.arms import Arm, in_order
from distiller.recipes.bridges import Bridge
from distiller.recipes.tasks import Task, check_run, check_train
from distiller.recipes.training import Count, NotNegative, Section, Seed, Share, Training
from distiller.utils.shown import shown
from distiller.utils.suggestions import unknown

# How the other stages of a run begin, beside those of its students.
STAGES = ("bridge-", "export-", "test-", "benchmark-")

# Bytes; file systems take 255 for a name, and what is added to it are the seed, the scheme and what marks an unfinished
# file.
_LONGEST_NAME = 120

Fraction = Annotated[float, Field(gt=0, le=1)]


class Data(Section):
    """Images: a name of `data.load`, a folder or a file of arrays; and the share of them held out of training."""

    name: str = Field(
        description="cifar10, cifar100, digits, tfds:NAME, a folder with a folder of images for each class, or an .npz "
        "file of arrays"
    )
    validation: Share = Field(default=0.1, description="share of the training images that is the validation split")
    classes: list[str] | None = Field(
        default=None, description="only these classes, in this order; of a segmentation, names of the numbers in masks"
    )
    groups: str | None = Field(
        default=None, description="a packaged class map, such as cifar100_coarse, whose groups are the classes"
    )
    image_size: tuple[Count, Count] = Field(
        default=(32, 32),
        description="height and width that a folder's images are resized to, one number for both; by default those "
        "that the teacher takes, where its recipe or file says them",
    )

    cache_dir: str | None = Field(
        default=None,
        description="folder into which a folder's images, or those of tfds:NAME, are decoded once, and read from; by "
        "default they are in memory where they fit, else in ~/.cache/distillite/images",
    )
    measured_on: Literal["test", "validation"] = Field(
        default="test",
        description="split that every accuracy of the report is measured on; with validation the test images are not "
        "looked at, which is how settings are chosen",
    )

    labels: str | None = Field(
        default=None, description="CSV file of several labels or of numbers, labels.csv in the folder by default"
    )
    columns: list[str] | None = Field(
        default=None, description="of the CSV file, in the order of the outputs; by default all but image"
    )
    derive: Literal["superclass", "properties", "rotation", "strokes"] | None = Field(
        default=None,
        description="labels of another task made from images at hand, for examples: groups of cifar100 beside its "
        "classes, properties of digits, angles by which images are turned, or the class of each bright pixel",
    )

    @field_validator("image_size", mode="before")
    @classmethod
    def _one_number_for_both(cls, size: Any) -> Any:
        return (size, size) if isinstance(size, int) else size

    @model_validator(mode="after")
    def _one_choice_of_classes(self) -> "Data":
        if self.classes and self.groups:
            raise ValueError("expected one of classes and groups")
        return self


class Labels(Section):
    """Number of labels that the student may see; for images without one the teacher's outputs are the only target."""

    fraction: Fraction | None = Field(default=None, description="share of the labels of each class")
    per_class: Count | None = Field(default=None, description="labels of each class")
    seed: Seed | None = Field(
        default=None,
        description="of which labels those are, and of the bridge, for all students; by default each student's seed",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "Labels":
        if self.fraction is not None and self.per_class is not None:
            raise ValueError("expected one of fraction and per_class")
        return self


class Network(Section):
    """A network by name, as `models.build` takes it, and its options."""

    name: str = Field(
        description="of the zoo, keras:NAME of keras.applications, hub:PRESET of keras-hub, a .keras or .h5 file, or "
        "file.py:function"
    )
    options: dict[str, Any] = Field(default={}, description="such as width of the zoo's, weights of keras:NAME")


class Student(Network):
    """The network of the student, and its images where they differ from the views."""

    colours: Literal["grey"] | None = Field(
        default=None, description="grey for a student of one channel beside a teacher of colours"
    )


class TrainRecipe(Section):
    """A recipe of `distiller train`: one network trained on hard labels."""

    kind: Literal["train"]
    name: str = Field(default="", description="the recipe's own name, where not given")
    summary: str = Field(description="one line, shown by `distiller recipes` and in the report")
    task: Task = Field(
        default="classification",
        description="multi_label is several labels an image, regression numbers, segmentation a class for each pixel",
    )
    data: Data
    model: Network
    training: Training
    seed: Seed = Field(default=0, description="of the first weights, and of the order and the views of the images")

    @model_validator(mode="after")
    def _served_by_the_task(self) -> "TrainRecipe":
        check_train(self)
        return self


class Normalization(Section):
    """(pixel − mean) / std of raw pixels, one number or one a channel."""

    mean: float | list[float] = Field(description="subtracted from a pixel, 0 to 255")
    std: float | list[float] = Field(description="the difference is divided by it")


class External(Section):
    """Images and outputs of a teacher of another framework: options of `teachers.external`."""

    image_size: Count | tuple[Count, Count] | None = Field(
        default=None, description="height and width that images are resized to; by default what the file says"
    )
    preprocessing: Literal["none", "unit", "tf", "torch"] | Normalization = Field(
        default="none", description="raw pixels, [0, 1], [−1, 1], ImageNet's means and deviations, or {mean, std}"
    )
    layout: Literal["nhwc", "nchw"] | None = Field(default=None, description="by default what an ONNX file says")
    features: list[str] = Field(default=[], description="outputs beside the logits, for `teacher_layer`")
    probabilities: bool = Field(default=False, description="the teacher answers these; their logarithm is taken")
    classes: list[str] | None = Field(default=None, description="names, in the order of the logits")


class Teacher(Section):
    """Source of the teacher: exactly one of `load`, `file`, `function`, `outputs` and `train`."""

    load: str | None = Field(default=None, description="name of packaged weights")
    file: str | None = Field(default=None, description="path of a .keras, .h5, .onnx or .tflite file")
    function: str | None = Field(
        default=None, description="file.py:function of a float32 array of images, which returns logits (n, classes)"
    )
    external: External = Field(default=External(), description="of an .onnx or .tflite file, or a function")
    outputs: str | None = Field(
        default=None, description="an .npz or .csv file of outputs that were computed elsewhere, by names of images"
    )
    probabilities: bool = Field(default=False, description="`outputs` holds these; their logarithm is taken")
    train: TrainRecipe | None = Field(default=None, description="trained first, as `distiller train` does")
    image_size: tuple[Count, Count] | None = Field(
        default=None,
        description="height and width of its images, one number for both, where they are not the student's, "
        "`data.image_size`: views of photos are drawn at the larger size, and each network gets its own; by default "
        "what its file takes",
    )
    frozen: bool = Field(
        default=False,
        description="answers as `teachers.frozen`: normalizations folded, feature maps in bfloat16",
    )

    @field_validator("image_size", mode="before")
    @classmethod
    def _one_number_for_both(cls, size: Any) -> Any:
        return (size, size) if isinstance(size, int) else size

    @model_validator(mode="after")
    def _exactly_one(self) -> "Teacher":
        sources = (self.load, self.file, self.function, self.outputs, self.train)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("expected exactly one of load, file, function, outputs and train")
        if self.image_size is not None and (self.outputs is not None or self.is_external):
            raise ValueError("image_size is of a Keras teacher; one of another framework has external.image_size")
        if self.probabilities and self.outputs is None:
            raise ValueError("expected probabilities with outputs, or in external of a file or function")
        if self.frozen and self.outputs is not None:
            raise ValueError("frozen is of a Keras teacher; outputs of a file are not computed")
        if self.external != External() and not self.is_external:
            raise ValueError(
                "expected external with an .onnx or .tflite file, or a function, and with no other teacher"
            )
        if self.frozen and self.is_external:
            raise ValueError("frozen is of a Keras teacher; one of another framework has nothing to fold")
        return self

    @property
    def is_external(self) -> bool:
        """True if the teacher is none of Keras's."""
        return self.function is not None or (self.file is not None and self.file.lower().endswith((".onnx", ".tflite")))


class Cache(Section):
    """`teachers.Cache`: the teacher's answers are stored, for every student that learns from nothing but logits.

    Those students see the same views of the images whatever their seed. With `layers`, so do those that compare layers.
    """

    views: Seed = Field(default=0, description="seed of these views")
    folder: str | None = Field(
        default=None,
        description="of `distiller answers`, whose answers are read, and completed where some are missing; by default "
        "in the run's folder",
    )
    dtype: Literal["float16", "float32"] = Field(default="float16", description="of the stored numbers")
    top_k: Count | None = Field(default=None, description="largest logits of an image that are stored; by default all")
    cycle: Count | None = Field(default=None, description="passes over the images after which views repeat")
    layers: bool = Field(
        default=False,
        description="also store the layers that objectives compare; a vector is small, and a map of features is not",
    )


class Export(Section):
    """TFLite files to make of every student."""

    schemes: list[Literal["float32", "float16", "dynamic", "int8", "int16x8", "int4"]] = Field(
        default=["float32", "float16", "dynamic", "int8"],
        min_length=1,
        description="one file each, as `tflite.convert` makes it",
    )
    calibration: Count = Field(default=500, description="training images that post-training quantization sees")
    teacher: bool = Field(default=False, description="also a file of the teacher, int8 where that is among the schemes")

    @field_validator("schemes")
    @classmethod
    def _none_twice(cls, schemes: list[str]) -> list[str]:
        if len(set(schemes)) < len(schemes):
            raise ValueError("expected every scheme once")
        return schemes


class Benchmark(Section):
    """Settings of the latency measurement on this machine."""

    threads: Count = Field(default=1, description="of the interpreter")
    runs: Count = Field(default=200, description="of each file, at least")
    seconds: NotNegative = Field(default=1.0, description="measured of each file, at least")


class RunRecipe(Section):
    """A recipe of `distiller run`: from a teacher to measured TFLite students."""

    kind: Literal["run"]
    name: str = Field(default="", description="the recipe's own name, where not given")
    summary: str = Field(description="one line, shown by `distiller recipes` and in the report")
    task: Task = Field(
        default="classification",
        description="multi_label is several labels an image, regression numbers, segmentation a class for each pixel",
    )
    data: Data
    labels: Labels = Labels()
    teacher: Teacher
    bridge: Bridge | None = Field(
        default=None, description="from the teacher's classes to the student's, where they differ"
    )
    student: Student
    training: Training
    arms: dict[str, Arm] = Field(
        description="ways to train the student, which the report compares; an arm without objectives is the baseline"
    )
    seeds: list[Seed] = Field(default=[0], description="a student of every arm is trained with each")
    cache: Cache | None = None
    export: Export = Export()
    benchmark: Benchmark = Benchmark()

    @model_validator(mode="after")
    def _something_to_compare(self) -> "RunRecipe":
        if not self.arms or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("expected at least one arm and one seed, and no seed twice")
        for name, arm in self.arms.items():
            _check_name(name)
            _check_plan(name, arm.training, self.plan)
        in_order(self.arms)
        check_run(self)
        if self.teacher.outputs is not None:
            bridged = [self.bridge, *(bridge for name in self.arms for bridge in self.bridges_of(name).values())]
            if self.cache is not None or any(bridge is not None for bridge in bridged):
                raise ValueError("expected no bridge and no cache with teacher.outputs, which are stored already")
        for name, arm in self.arms.items():
            if arm.start and self.plan(name).precision != self.plan(arm.start).precision:
                raise ValueError(
                    f"arms.{name}.training.precision: expected that of {arm.start!r}, with whose student it starts"
                )
        return self

    def schemes(self, arm: str) -> list[str]:
        """The TFLite files of an arm's student: those of `export`, or the one that it was trained for."""
        quantize = self.arms[arm].quantize
        return [quantize.scheme] if quantize else list(self.export.schemes)

    def plan(self, arm: str) -> Training:
        """The training of an arm."""
        return Training.model_validate({**self.training.model_dump(), **self.arms[arm].training})

    def bridge_of(self, arm: str) -> Bridge | None:
        """The bridge of an arm, but for objectives that have one of their own."""
        return self.arms[arm].bridge or self.bridge

    def bridges_of(self, arm: str) -> dict[str, Bridge | None]:
        """The bridge of each objective of an arm."""
        own = self.arms[arm]
        return {name: own.bridges.get(name, self.bridge_of(arm)) for name in own.objectives}

    def labels_seed(self, seed: int) -> int:
        """Of the labels that the student of `seed` sees, and of its bridge, which must not have seen others."""
        return seed if self.labels.seed is None else self.labels.seed

    @property
    def bridge_seeds(self) -> list[int]:
        """Of the bridges that the students need, each once."""
        return list(dict.fromkeys(self.labels_seed(seed) for seed in self.seeds))


def _check_name(arm: str) -> None:
    """Files and stages of a run are named after its arms."""
    if len(arm.encode()) > _LONGEST_NAME:
        raise ValueError(
            f"arms: expected a name of {_LONGEST_NAME} letters at most, as files are named after it. "
            f"Received: {len(arm)} letters, {shown(arm)}"
        )
    if not re.fullmatch(r"\w[\w .+-]*", arm) or arm.startswith(STAGES):
        raise ValueError(
            f"arms: expected a name of letters, digits, spaces and . + - _ that begins with a letter or digit, and "
            f"with none of {', '.join(STAGES)}, which are stages of a run. Received: {arm!r}"
        )


def _check_plan(arm: str, changes: dict[str, Any], plan: Callable[[str], Training]) -> None:
    for key in changes:
        if key not in Training.model_fields:
            raise ValueError(f"arms.{arm}.training: " + unknown("key", key, Training.model_fields))
    try:
        plan(arm)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(("arms", arm, "training", *map(str, detail["loc"])))
        received = f". Received: {shown(detail['input'])}" if detail["loc"] else ""
        raise ValueError(f"{place}: {detail['msg']}{received}") from None
