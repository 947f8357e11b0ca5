"""One way to train everything: optimiser, schedule, callbacks, logs, and going on after an interruption."""

import csv
import io
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from distiller.data import Batches, CutMix, InOrder, MixUp, Replay, Split
from distiller.data.mixing import Mixing
from distiller.errors import InputError, WorkError
from distiller.networks.internals import index_in, trained_by
from distiller.optimizers import DOT
from distiller.recipes.training import Ramp, Training
from distiller.runs.checkpoint import EpochCheckpoint
from distiller.runs.early_stopping import StopEarly
from distiller.runs.hosts import joined
from distiller.runs.progressive_resizing import GrowingImages
from distiller.trainer.losses import SmoothedCrossentropy
from distiller.utils.atomic_files import write_whole
from distiller.utils.progress import Reporter, Task


@dataclass(frozen=True)
class Trained:
    """Outcome of a training: a row of metrics per epoch, its seconds and its steps.

    `kept` is the index of the epoch whose weights the model has: the last, or with early stopping the best.
    """

    epochs: list[dict[str, float]]
    seconds: float
    steps: int
    kept: int = -1

    @property
    def last(self) -> dict[str, float]:
        """Metrics of the epoch whose weights were kept; every published number is of this epoch."""
        return self.epochs[self.kept]


def learning_rates(plan: Training, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rate of every step of a training: linear warm-up from a 25th of the highest rate, then the plan's schedule."""
    warmup = int(plan.warmup * steps)
    if plan.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            plan.learning_rate / 25 if warmup else plan.learning_rate,
            decay_steps=max(1, steps - warmup),
            warmup_target=plan.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    return WarmupThenSteps(plan.learning_rate, warmup, [(int(d.at * steps), d.factor) for d in plan.drops])


@keras.saving.register_keras_serializable("distiller")
class WarmupThenSteps(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from a 25th of `rate` to it, then a constant rate that is multiplied at each of `drops`.

    Args:
        rate: the highest.
        warmup: steps of the warm-up.
        drops: pairs (step from which it counts, factor).
    """

    def __init__(self, rate: float, warmup: int = 0, drops: Sequence[tuple[int, float]] = ()):
        self.rate, self.warmup, self.drops = rate, warmup, [tuple(drop) for drop in drops]

    def __call__(self, step: Any) -> Any:
        """Rate of a step, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rate = self.rate * (1 / 25 + (1 - 1 / 25) * keras.ops.minimum(step / max(1, self.warmup), 1.0))
        rate = rate if self.warmup else keras.ops.full_like(step, self.rate)
        for start, factor in self.drops:
            rate = rate * keras.ops.where(step >= start, factor, 1.0)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"rate": self.rate, "warmup": self.warmup, "drops": self.drops}


def optimizer(plan: Training, steps: int) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum, AdamW or DOT over `steps` steps; biases, normalization, variances do not decay."""
    rate = learning_rates(plan, steps)
    common: dict[str, Any] = {"global_clipnorm": plan.clip_norm, "clipvalue": plan.clip_value}
    if plan.ema is not None:
        common |= {"use_ema": True, "ema_momentum": plan.ema}
    options: dict[str, Any] = {"momentum": plan.momentum, "nesterov": True, "weight_decay": plan.weight_decay or None}
    made: keras.optimizers.Optimizer
    if plan.optimizer == "adamw":
        made = keras.optimizers.AdamW(rate, beta_1=plan.momentum, weight_decay=plan.weight_decay, **common)
    elif plan.dot is not None:
        made = DOT(rate, delta=plan.dot, **options, **common)
    else:
        made = keras.optimizers.SGD(rate, **options, **common)
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "scale", "offset"])
    if plan.rates:
        scale_rates(made, plan.rates)
    return keras.optimizers.LossScaleOptimizer(made) if plan.precision == "mixed_float16" else made


def scale_rates(optimizer: keras.optimizers.Optimizer, rates: dict[str, float]) -> None:
    """Let `optimizer` take the steps of some layers with a factor: of those whose name begins with a key of `rates`.

    Of several keys the longest counts. Decoupled weight decay is not scaled.
    """
    update = optimizer.update_step

    def scaled(gradient: Any, variable: Any, learning_rate: Any) -> Any:
        # On TensorFlow it is the backend's variable that comes, which has no path.
        known = trained_by(optimizer)[index_in(optimizer, variable)]
        return update(gradient, variable, learning_rate * _factor(known, rates))

    optimizer.update_step = scaled


def _factor(variable: keras.Variable, rates: dict[str, float]) -> float:
    names = variable.path.split("/")[:-1]
    keys = [key for key in rates if any(name.startswith(key) for name in names)]
    return rates[max(keys, key=len)] if keys else 1.0


def check_rates(model: keras.Model, rates: dict[str, float]) -> None:
    """Raise InputError where a key of `rates` names no layer of `model` that trains."""
    for key in rates:
        if not any(_factor(variable, {key: 2.0}) > 1 for variable in model.trainable_variables):
            raise InputError(
                f"training.rates: expected the beginning of a name of a layer that trains. Received: {key}"
            )


def entropy(plan: Training) -> keras.losses.Loss:
    """The loss of the hard labels: integers, or mixed ones of mixed images."""
    if plan.mixing:
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=plan.label_smoothing)
    if plan.label_smoothing:
        return SmoothedCrossentropy(plan.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def accuracy(plan: Training) -> keras.metrics.Metric:
    """The share of images whose highest logit is that of their label, which may be mixed."""
    if plan.mixing:
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def steps_an_epoch(plan: Training, samples: int) -> int:
    """Batches an epoch where the whole data set has `samples` images."""
    return plan.steps_per_epoch or max(1, samples // plan.batch_size)


def schedule(number: float | Ramp, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """A number, or the schedule of a ramp, for epochs of `steps` steps."""
    if not isinstance(number, Ramp):
        return number
    return keras.optimizers.schedules.PolynomialDecay(number.start, number.epochs * steps, number.end)


def mixing(plan: Training) -> Mixing | None:
    """Settings with which images are mixed."""
    if plan.mixing is None:
        return None
    return {"mixup": MixUp, "cutmix": CutMix}[plan.mixing.name](plan.mixing.alpha)


def views(plan: Training, train: Split, *, samples: int, seed: int, **options: Any) -> Batches:
    """The batches of a training in which an epoch counts `samples` images; options are those of `data.Batches`.

    With fewer images in `train` an epoch is more than a pass: students with few and many labels get equal steps.
    """
    return Batches(
        train,
        plan.batch_size,
        seed=seed,
        steps=steps_an_epoch(plan, samples),
        augmentation=plan.views(),
        mixing=mixing(plan),
        **options,
    )


def fit(
    model: keras.Model,
    plan: Training,
    batches: Batches,
    validation: Split,
    *,
    folder: Path,
    reporter: Reporter,
    title: str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    loss: keras.losses.Loss | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
) -> Trained:
    """Compile and train `model` on `batches` as `plan` says; keep a log and a restart point in `folder`.

    Where `folder` holds a restart point, training goes on from there, with the batches that would have come next.

    Args:
        model: a network, or a Distiller.
        plan: budget and optimiser.
        batches: images and labels, as `views` makes them.
        validation: fully labelled images, evaluated after each epoch.
        folder: of this training; `metrics.csv` is written there.
        reporter: where progress is shown.
        title: what is trained, for progress and messages.
        callbacks: further ones.
        loss: of the labels; by default that of classes.
        metrics: of each epoch; by default the accuracy of classes.

    Raises:
        WorkError: the loss is no longer a number.
    """
    steps = batches.steps
    folder.mkdir(parents=True, exist_ok=True)
    log = EpochLog(folder / "metrics.csv")
    stopping = StopEarly(plan.early_stopping, log.path, folder, plan.epochs) if plan.early_stopping else None
    several = joined()
    with (
        several.sharing(model, batches) if several else nullcontext() as shared,
        reporter.task(title, plan.epochs * steps) as task,
    ):
        # Made here: on several hosts a metric's variables are shared too.
        watched = [accuracy(plan)] if metrics is None else list(metrics)
        model.compile(optimizer(plan, plan.epochs * steps), loss=loss or entropy(plan), metrics=watched)
        check_rates(model, plan.rates)
        # TensorFlow traces a step a second time where it makes variables.
        model.optimizer.build(model.trainable_variables)
        watching = [
            _StopAtNaN(title),
            log,
            EpochCheckpoint(folder / "state"),
            Replay(batches),
            _Progress(task, steps, plan.epochs),
            *([GrowingImages(getattr(model, "student", model), plan.sizes)] if plan.sizes else []),
            # Evaluates the averaged weights, which are the model's at the end of `fit`.
            *([keras.callbacks.SwapEMAWeights()] if plan.ema is not None else []),
            *([stopping] if stopping else []),
            *named_callbacks(plan, folder),
            *callbacks,
            *([shared] if shared else []),
        ]
        if shared:
            shared.spread()
        model.fit(
            batches,
            validation_data=InOrder(validation, classes=batches.classes if plan.mixing else None),
            epochs=plan.epochs,
            verbose=0,
            callbacks=watching,
            shuffle=False,  # or Keras shuffles the batches of an epoch by a generator of its own
        )
    rows = log.rows()
    kept = stopping.best_row() if stopping else None
    return Trained(rows, sum(row["seconds"] for row in rows), len(rows) * steps, -1 if kept is None else kept)


def named_callbacks(plan: Training, folder: Path) -> list[keras.callbacks.Callback]:
    """The callbacks of Keras that a plan names; TensorBoard's files are in `tensorboard/`, the CSV is `keras.csv`."""
    make = {
        "TensorBoard": lambda: keras.callbacks.TensorBoard(str(folder / "tensorboard")),
        "CSVLogger": lambda: keras.callbacks.CSVLogger(str(folder / "keras.csv"), append=True),
    }
    return [make[name]() for name in plan.callbacks]


class EpochLog(keras.callbacks.Callback):
    """A CSV file with a row an epoch: all metrics and the seconds; a restarted epoch replaces its row."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def rows(self) -> list[dict[str, float]]:
        """Rows of the file, as numbers."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        row = {"epoch": epoch + 1, **{k: float(v) for k, v in (logs or {}).items()}}
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        rows = [*(r for r in self.rows() if r["epoch"] <= epoch), row]
        text = io.StringIO()
        writer = csv.DictWriter(text, row.keys())
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path, text.getvalue().encode())  # or a kill while it is written leaves half a log


class _StopAtNaN(keras.callbacks.Callback):
    """Ends the work before a loss that is no number reaches the log or the restart point."""

    def __init__(self, title: str):
        super().__init__()
        self.title = title

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise WorkError(f"{self.title}: the loss is {loss} after epoch {epoch + 1}. Try a smaller learning rate")


class _Progress(keras.callbacks.Callback):
    """Tells a reporter's task how far `fit` is."""

    # Or Keras waits after each step for its numbers, and a GPU for the next step.
    async_safe = True

    def __init__(self, task: Task, steps: int, epochs: int) -> None:
        super().__init__()
        self.task, self.steps, self.epochs = task, steps, epochs
        self.epoch = self.done = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.task.advance_to(self.epoch * self.steps + batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        shown = {k: v for k, v in (logs or {}).items() if k in ("loss", "accuracy", "val_accuracy")}
        if "val_accuracy" not in shown and "val_loss" in (logs or {}):
            shown["val_loss"] = (logs or {})["val_loss"]
        numbers = " ".join(f"{name} {value:.4f}" for name, value in shown.items())
        self.task.say(f"epoch {epoch + 1}/{self.epochs} {numbers}")
