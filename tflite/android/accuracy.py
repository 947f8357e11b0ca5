"""Accuracy of a TFLite file on an Android phone, and whether the phone answers as this machine does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.android.agreement import agreement, all_zero, not_numbers, signs
from tflite.android.answers import PhoneAnswers, PhoneModel, Progress
from tflite.android.device import Device
from tflite.android.folder import PhoneFolder
from tflite.android.measure import place_tool
from tflite.android.phone import Phone, read_phone
from tflite.android.program import Program, find_program
from tflite.benchmark_tool.flags import ACCELERATORS, Options
from tflite.benchmark_tool.termination import orderly
from tflite.benchmarking.images import operators_in
from tflite.errors import MeasurementError, ModelError
from tflite.model_file.files import read_model
from tflite.model_file.interpreter import Runner, largest
from tflite.utils import samples
from tflite.utils.arguments import several, whole
from tflite.utils.record import Record


@dataclass(frozen=True)
class PhoneEvaluation(Record):
    """Accuracy of a file on a phone, and how its outputs differ from this machine's.

    `accuracy` is the fraction correct / samples. `agreement` is the fraction of images with the same largest output
    here, and `max_difference` the largest difference of any output, in quantization steps where they are integers. An
    image with NaN among its outputs has no largest: it is not right and does not agree.

    `cpu_agreement` and `cpu_max_difference` compare an accelerator with the CPU of the same phone; None for the CPU
    itself, and where it could not run the file. `nan_images` have an output that is NaN or infinite, `zero_images` none
    but zeros where they have others here. `flags` says in words what is wrong with the answers; it is empty for those
    that differ as arithmetic of another precision does. `delegated_operators` of `file_operators` ran in the delegate;
    None where the tool does not say how many.
    """

    path: Path
    accuracy: float
    samples: int
    correct: int
    agreement: float
    max_difference: float
    seconds: float
    threads: int
    delegate: str
    device: str
    tool: str
    phone: dict[str, Any]
    notes: tuple[str, ...] = ()
    cpu_agreement: float | None = None
    cpu_max_difference: float | None = None
    nan_images: int = 0
    zero_images: int = 0
    flags: tuple[str, ...] = ()
    delegated_operators: int | None = None
    file_operators: int | None = None


@dataclass(frozen=True)
class DelegateComparison(Record):
    """One file on one phone with several delegates: an evaluation for each that answered, else the reason by name."""

    evaluations: tuple[PhoneEvaluation, ...]
    failures: dict[str, str]


def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    serial: str | None = None,
    tool: str | Path | None = None,
    count: int = 100,
    threads: int = 1,
    delegate: str = "xnnpack",
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> PhoneEvaluation:
    """Accuracy of a TFLite classifier on a phone, on the first images of a data set.

    An accelerator is compared with the interpreter here and with the CPU of the same phone, XNNPACK, which runs the
    images too.

    Args:
        path: TFLite file with one input of images and one output of scores (1, classes). It is also run here: check a
            file from elsewhere with `tflite.check` first.
        dataset: images with labels, as for `tflite.evaluate`; unlabelled ones are left out.
        serial: of the phone; needed where several are connected.
        tool: as for `tflite.android.benchmark`, but not LiteRT's, which takes no images.
        count: how many images, at most; each is a run of the tool.
        threads: of the tool.
        delegate: "xnnpack", "gpu", "nnapi" or "none".
        progress: called with the images done and those in all; those that the CPU runs for an accelerator count too.
        tell: called with sentences for the person who waits.

    Raises:
        ModelError: a file or images that do not fit, no labelled image, or an argument out of range.
        MeasurementError: as for `tflite.android.benchmark`; or a tool that cannot run images of ours.
    """
    test = _Test(path, dataset, count, threads, [delegate])
    ((_, outcome),) = test.run(serial, tool, progress, tell)
    if isinstance(outcome, MeasurementError):
        raise outcome
    return outcome


def compare_delegates(
    path: str | Path,
    dataset: Any,
    *,
    delegates: Sequence[str] = ("xnnpack", "gpu", "nnapi"),
    serial: str | None = None,
    tool: str | Path | None = None,
    count: int = 100,
    threads: int = 1,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> DelegateComparison:
    """The same of several delegates, on the same images in one visit to the phone.

    A delegate that crashes, or that the phone or the tool does not have, is among the `failures` and ends nothing.

    Args:
        path: as for `evaluate`, with all arguments that are not named here.
        dataset: as for `evaluate`.
        delegates: one or more of those that `evaluate` takes.
        serial: as for `evaluate`.
        tool: as for `evaluate`.
        count: as for `evaluate`.
        threads: as for `evaluate`.
        progress: as for `evaluate`.
        tell: as for `evaluate`.

    Raises:
        ModelError: as for `evaluate`.
        MeasurementError: no phone, or one that is not ready or was lost; no tool.
    """
    test = _Test(path, dataset, count, threads, several("delegates", delegates, str))
    outcomes = test.run(serial, tool, progress, tell)
    return DelegateComparison(
        tuple(found for _, found in outcomes if isinstance(found, PhoneEvaluation)),
        {name: str(found) for name, found in outcomes if isinstance(found, MeasurementError)},
    )


class _Test:
    """Images with labels, the answers of the interpreter here, and the delegates to ask."""

    def __init__(self, path: str | Path, dataset: Any, count: int, threads: int, delegates: Sequence[str]):
        self.options = {name: Options(threads=threads, delegate=name) for name in delegates}
        count = whole("count", count, 1)
        self.threads = next(iter(self.options.values())).threads
        self.path, self.file = Path(path), Runner(path)
        output = self.file.output.shape
        if len(output) != 2 or self.file.input.shape[0] != 1:
            raise ModelError(
                f"Expected a classifier of one image with outputs (1, classes). Received: {str(path)!r} with inputs "
                f"{self.file.input.shape} and outputs {output}"
            )
        self.file.classes()  # one score has no largest
        images, self.labels = _first(dataset, count, self.file)
        self.images = self.file.numbers(images)
        self.expected = self.file.answers(self.images)

    def run(
        self,
        serial: str | None,
        tool: str | Path | None,
        progress: Progress | None,
        tell: Callable[[str], None] | None,
    ) -> list[tuple[str, PhoneEvaluation | MeasurementError]]:
        """The evaluation of each delegate, or the reason why it gave no answers."""
        device = Device(serial)
        phone = read_phone(device)
        program = find_program(device, phone, tool)
        asked = list(self.options)
        if any(name in ACCELERATORS for name in asked):  # which are compared with the CPU
            asked = ["xnnpack", *(name for name in asked if name != "xnnpack")]
        answers: dict[str, PhoneAnswers | MeasurementError] = {}
        with orderly(), PhoneFolder(device, tell=tell) as folder:
            command = place_tool(folder, program)
            model = PhoneModel(folder, command, folder.send(self.path, "model.tflite"), self.file, self.images)
            for name in asked:
                before, all_images = len(answers) * len(self.images), len(asked) * len(self.images)
                options = self.options.get(name) or Options(threads=self.threads, delegate=name)
                try:
                    answers[name] = model.answers(options, _from(before, all_images, progress))
                except MeasurementError as error:
                    if not _is_there(device):
                        raise
                    answers[name] = error
        cpu = answers.get("xnnpack")
        return [
            (name, found if isinstance(found, MeasurementError) else self._evaluation(name, found, cpu, phone, program))
            for name in self.options
            for found in [answers[name]]
        ]

    def _evaluation(
        self,
        delegate: str,
        found: PhoneAnswers,
        cpu: PhoneAnswers | MeasurementError | None,
        phone: Phone,
        program: Program,
    ) -> PhoneEvaluation:
        outputs, notes = found.outputs, found.notes
        correct = int(np.sum(largest(outputs) == self.labels))
        here = agreement(outputs, self.expected)
        there = None
        if delegate in ACCELERATORS and isinstance(cpu, PhoneAnswers):
            there = agreement(outputs, cpu.outputs)
        elif delegate in ACCELERATORS:
            notes = (*notes, f"not compared with the phone's CPU: {cpu}")
        delegated, operators = found.delegation.counts(operators_in(read_model(self.path)))
        return PhoneEvaluation(
            path=self.path,
            accuracy=correct / len(self.labels),
            samples=len(self.labels),
            correct=correct,
            agreement=here.same_class,
            max_difference=here.max_difference,
            seconds=found.seconds,
            threads=self.threads,
            delegate=delegate,
            device=phone.name,
            tool=program.name,
            phone=phone.to_dict(),
            notes=notes,
            cpu_agreement=None if there is None else there.same_class,
            cpu_max_difference=None if there is None else there.max_difference,
            nan_images=int(not_numbers(outputs).sum()),
            zero_images=int(all_zero(outputs, self.expected, self.file.output).sum()),
            flags=tuple(signs(outputs, self.expected, self.file.output)),
            delegated_operators=delegated,
            file_operators=operators,
        )


def _from(before: int, of_all: int, progress: Progress | None) -> Progress | None:
    """Progress of one delegate's images as that of all delegates'."""
    return None if progress is None else lambda done, _: progress(before + done, of_all)


def _is_there(device: Device) -> bool:
    """Return whether a phone still answers: some restart when their GPU's driver crashes."""
    try:
        return device.shell("true")[0] == 0
    except MeasurementError:
        return False


def _first(dataset: Any, count: int, run: Runner) -> tuple[np.ndarray, np.ndarray]:
    """The first labelled images and their labels."""
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for images, labels in samples.batches(dataset):
        if labels is None:
            raise ModelError("Expected images with labels. Received: images alone")
        labelled = labels >= 0
        parts.append((np.asarray(images)[labelled], labels[labelled]))
        if sum(len(part) for _, part in parts) >= count:
            break
    if not sum(len(part) for _, part in parts):
        raise ModelError("Expected at least one labelled image. Received: none")
    images = np.concatenate([part for part, _ in parts])[:count]
    labels = np.concatenate([part for _, part in parts])[:count]
    if labels.max() >= run.output.shape[1]:
        raise ModelError(f"Expected labels from 0 to {run.output.shape[1] - 1}. Received: {labels.max()}")
    return images, labels
