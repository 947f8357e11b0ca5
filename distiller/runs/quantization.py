"""Quantization-aware training of a trained student, its integer file, and a check of that file."""

import tempfile
from pathlib import Path
from typing import Any

import keras

import tflite
from distiller import data, objectives, teachers
from distiller.data import class_names
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.networks.saving import save_network
from distiller.recipes.arms import Quantize
from distiller.recipes.training import Training
from distiller.runs import fit, student_file
from distiller.runs.building import accuracy
from distiller.trainer.distiller import Distiller
from distiller.utils.progress import Reporter
from tflite.model_file.files import check_tflite_path, check_writable

# Of the training, whose result is the same every time.
_SEED = 0


def aware_copy(student: keras.Model, asked: Quantize) -> keras.Model:
    """A copy of a student to train quantization-aware, in fast kernels."""
    return fuse(tflite.quantize_aware(student, engine=asked.engine, scheme=asked.scheme, exclude=asked.exclude))


def quantize(
    model: Path,
    out: Path,
    dataset: data.Dataset,
    plan: Training,
    asked: Quantize,
    *,
    teacher: Path | None = None,
    temperature: float = 4.0,
    soft: float = 0.9,
    keep: Path | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Train the quantization-aware copy of a student on its data and write its TFLite file.

    Args:
        model: a trained `.keras` file with logits (batch, classes).
        out: the `.tflite` file to write, which holds the class names.
        dataset: of the student's classes.
        plan: the training.
        asked: engine, scheme and layers.
        teacher: a `.keras` file of the same classes that teaches beside the labels; none by default.
        temperature: of its soft targets.
        soft: its weight; the labels have 1 − soft.
        keep: a `.keras` file to write the quantization-aware model to.
        reporter: where progress is shown.

    Returns:
        Accuracies on the validation split as fractions: "before" of the student, "after" of the file; "agreement" of
        the file with the quantization-aware model, "bytes" of the file, "images" in the validation split.

    Raises:
        InputError: a file or the data do not fit.
        tflite.ModelError, tflite.ConversionError: the student cannot be quantized, or a path cannot be written to.
    """
    if keep is not None and keep.suffix != ".keras":
        raise InputError(f"Expected a .keras file for the quantization-aware model. Received: {str(keep)!r}")
    given = [path.resolve() for path in (model, teacher) if path is not None]
    check_tflite_path(out)
    for path in (out, keep):
        if path is not None:
            check_writable(path)
            if path.resolve() in given:
                raise InputError(f"Expected other files to write than to read. Received: {str(path)!r} for both")
            given.append(path.resolve())
    class_names.check(dataset.classes, dataset.name)  # the file holds them, and is made after the training
    reporter = reporter or Reporter()
    keras.utils.set_random_seed(_SEED)  # dropout draws from the global generator
    student = teachers.load(model, role="model")
    _check(student, dataset, str(model))
    aware = aware_copy(student, asked)
    trained: keras.Model = aware
    if teacher is not None:
        network = teachers.load(teacher, say=reporter.say)
        _check(network, dataset, str(teacher))
        trained = Distiller(
            teacher=network,
            student=aware,
            objectives={"soft": objectives.Hinton(temperature=temperature)},
            weights={"labels": 1 - soft, "soft": soft},
        )
    batches = fit.views(plan, dataset.train, samples=len(dataset.train), seed=_SEED, classes=len(dataset.classes))
    with tempfile.TemporaryDirectory() as folder:
        fit.fit(
            trained,
            plan,
            batches,
            dataset.validation,
            folder=Path(folder),
            reporter=reporter,
            title="quantization-aware training",
            callbacks=freezing(asked, plan, batches.steps),
        )
    tflite.match_runtime(aware)
    if keep is not None:
        save_network(aware, keep)
    made = student_file.write(aware, out, asked.scheme, None, dataset.classes)
    held_out = dataset.validation
    checked = student_file.check(aware, out, held_out)
    return {
        "before": accuracy(student, held_out),
        "after": checked["accuracy"],
        "agreement": checked["agreement"],
        "bytes": made.bytes,
        "images": len(held_out),
    }


def freezing(asked: Quantize, plan: Training, steps: int) -> list[keras.callbacks.Callback]:
    """Callbacks that freeze the ranges of activations for the last part of a training of epochs of `steps` steps."""
    if asked.engine != "native":
        return []
    return [tflite.FreezeRanges(step=round(asked.freeze * plan.epochs * steps))]


def _check(network: keras.Model, dataset: data.Dataset, file: str) -> None:
    expected = (dataset.image_shape, len(dataset.classes))
    received = (tuple(network.input_shape[1:]), network.output_shape[-1])
    advice = ". Choose the classes of the images with --classes, or their groups with --groups"
    if expected != received:
        raise InputError(
            f"Expected a model of images {expected[0]} and {expected[1]} classes, as in {dataset.name!r}. "
            f"Received: {file!r} with {received[0]} and {received[1]}"
            f"{advice if expected[1] != received[1] else ''}"
        )
