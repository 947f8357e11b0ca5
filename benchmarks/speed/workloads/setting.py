"""Networks, batches and optimizer that all workloads of a benchmark share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Ids of samples are below this, the number of CIFAR's images.
SAMPLES = 50_000


@dataclass(frozen=True)
class Setting:
    """Networks, batches and precision of the workloads.

    Args:
        student: name in the zoo.
        teacher: name in the zoo.
        batch: images per step.
        precision: Keras policy of both networks.
        size: height and width of the images.
        classes: their number.
        options: of both networks.
        momentum: of the student's optimizer; 0 has no variables of its own.
        eager: run a step without compiling it: starts sooner and runs slower, for trials and not for measurements.
    """

    student: str = "resnet8"
    teacher: str = "resnet20"
    batch: int = 128
    precision: str = "float32"
    size: int = 32
    classes: int = 10
    options: dict[str, Any] = field(default_factory=dict)
    momentum: float = 0.9
    eager: bool = False

    @classmethod
    def tiny(cls) -> "Setting":
        """Networks of a few channels on a few small images, to try a benchmark out."""
        options = {"widths": (2, 2, 2), "stem": 2}
        return cls("wide", "wide", batch=4, size=8, options=options, momentum=0.0, eager=True)

    def new_student(self) -> "keras.Model":
        """New student, with the same initial weights as every other."""
        return self._built(self.student)

    def new_teacher(self) -> "keras.Model":
        """New teacher, for workloads that would change the shared one."""
        return self._built(self.teacher)

    @cached_property
    def shared_teacher(self) -> "keras.Model":
        """Teacher of all workloads that do not change it."""
        return self.new_teacher()

    def _built(self, name: str) -> "keras.Model":
        import keras

        from distiller import models

        keras.utils.set_random_seed(0)
        shape = (self.size, self.size, 3)
        return models.build(name, self.classes, shape, dtype=self.precision, **self.options)

    @cached_property
    def _samples(self) -> list[tuple[Any, Any, Any]]:
        """Four batches of images, labels and ids, in memory."""
        import tensorflow as tf

        random = tf.random.Generator.from_seed(0)
        shape = (self.batch, self.size, self.size, 3)
        return [
            (
                random.uniform(shape, 0.0, 255.0),
                random.uniform(shape[:1], 0, self.classes, tf.int32),
                random.uniform(shape[:1], 0, SAMPLES, tf.int32),
            )
            for _ in range(4)
        ]

    def batches(self, *, ids: bool = False, stored: bool = False) -> Any:
        """Endless iterator of images and labels, the same for all; with the labels ids or teacher outputs.

        Args:
            ids: the samples' ids, for objectives that remember samples.
            stored: the shared teacher's logits, as a `teachers.Cache` provides them.
        """
        import tensorflow as tf

        from distiller.networks.feature_extraction import LOGITS

        def targets(images: Any, labels: Any, samples: Any) -> Any:
            more = {"ids": samples} if ids else {}
            if stored:
                more["taught"] = {LOGITS: tf.cast(self.shared_teacher(images, training=False), "float32")}
            return {"labels": labels, **more} if more else labels

        # A data set of one element hands out its tensors: nothing is copied.
        first, *rest = (tf.data.Dataset.from_tensors((one[0], targets(*one))) for one in self._samples)
        for one in rest:
            first = first.concatenate(one)
        return iter(first.repeat())

    def training(self, model: "keras.Model", **targets: bool) -> Callable[[], Any]:
        """One training step of `model`: the function that `fit` calls for each batch, without callbacks.

        `targets` are those of `batches`.
        """
        import keras

        model.compile(
            # The result of the training does not matter: at this learning rate every objective's loss stays finite.
            keras.optimizers.SGD(1e-6, momentum=self.momentum, nesterov=self.momentum > 0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            run_eagerly=self.eager,
        )
        model.make_train_function()
        batches = self.batches(**targets)
        return lambda: model.train_function(batches)

    def forward(self, network: "keras.Model") -> Callable[[], Any]:
        """The logits of `network` for a batch, in inference mode."""
        import tensorflow as tf

        batches = self.batches()

        def forward(iterator: Any) -> Any:
            return network(next(iterator)[0], training=False)

        step = forward if self.eager else tf.function(forward)
        return lambda: step(batches)
