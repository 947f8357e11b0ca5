"""Answers of an accelerator to made-up images, beside its latency: a wrong answer may be fast."""

from pathlib import Path

import numpy as np

from tflite.android.agreement import signs
from tflite.android.answers import PhoneModel
from tflite.android.folder import PhoneFolder
from tflite.benchmark_tool.flags import Options
from tflite.errors import MeasurementError, ModelError
from tflite.isolation.untrusted import check
from tflite.model_file.interpreter import Runner

_IMAGES = 3


def notes_on_answers(folder: PhoneFolder, tool: str, graph: str, path: Path, options: Options) -> tuple[str, ...]:
    """Sentences on what a delegate answered to random pixels: what is wrong with it, or why it was not looked at.

    Raises:
        MeasurementError: the delegate crashed on them.
    """
    name = options.delegate
    try:
        check(path, use="run")  # it runs in this process too
        run = Runner(path)
    except ModelError as error:
        return (f"the answers of {name} were not compared: {error}",)
    if run.input.shape[:1] != (1,) or len(run.output.shape) < 2:
        return (f"the answers of {name} were not compared: the file has no single image and row of outputs",)
    random = np.random.default_rng(0)
    images = run.input.made_up(random, (_IMAGES, *run.input.shape[1:]))
    try:
        answers = PhoneModel(folder, tool, graph, run, images).answers(options).outputs
    except MeasurementError as error:
        if "crashed" in str(error):
            raise
        return (f"the answers of {name} were not compared: {error}",)
    rows = answers.reshape(_IMAGES, -1)
    expected = run.answers(images).reshape(_IMAGES, -1)
    advice = "look at real images with `tflite.android.evaluate`"
    return tuple(
        f"{name} answers wrongly to random pixels: {sign}; {advice}" for sign in signs(rows, expected, run.output)
    )
