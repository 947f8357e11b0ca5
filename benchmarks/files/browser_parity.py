"""Answers of a browser beside those of the interpreter: the same files, the same 1,000 images of CIFAR-100.

    python -m benchmarks.files.browser_parity --data-dir DIR
    python -m benchmarks.files.browser_parity --tiny --results runs/browser

A packaged network, converted to float32, float16 and int8 with int8 at both ends, is shown by the server of `distiller
serve` to Debian's Chromium, headless, which answers every image in LiteRT.js and sends its answers back. The int8 file
goes there as the copy with uint8 at both ends that the server makes. The images are of the validation split. One JSON
line a file is recorded. Latencies that the page measures on the way are no part of it.
"""

import argparse
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.results import lines
from benchmarks.shell import Line, command, data_dir, option, positive, progress, tiny
from distiller.report.markdown_table import markdown_table

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tflite.serving import ServedModel

NAME = "browser_parity.jsonl"
NETWORK = "wide_cifar100"
SCHEMES: dict[str, dict[str, str]] = {
    "float32": {},
    "float16": {},
    "int8": {"input_type": "int8", "output_type": "int8"},
}
# Images that ranges of activations are measured on; none of those that are compared.
_CALIBRATION = 300
# Seconds for a file, which a busy machine with a thousand images may need.
_PATIENCE = 900


def measure(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Lines of a run, one a file."""
    from tflite.serving import files_of_page, runtime

    models = served(args, folder)
    page = files_of_page(models, runtime.load(tell=lambda said: print(said, file=sys.stderr)))
    answers, browser = answers_of_browser(models, page)
    return [
        {
            "network": NETWORK,
            "scheme": scheme,
            "bytes": len(model.original),
            "changes": list(model.changes),
            "litertjs": runtime.VERSION,
            "browser": browser,
            **agreement(model, found),
        }
        for scheme, model, found in zip(SCHEMES, models, answers, strict=True)
    ]


def served(args: argparse.Namespace, folder: Path) -> "list[ServedModel]":
    """The network as a file of every scheme, with images and the interpreter's answers."""
    import tflite
    from distiller import data, models
    from tflite.serving import read_served

    network = models.load(NETWORK)
    dataset = data.load("cifar100", data_dir=args.data_dir)
    part = dataset.validation.some(args.images)
    calibration = dataset.train.some(_CALIBRATION).images.astype("float32")
    found = []
    with progress("answers here", len(SCHEMES)) as task:
        for scheme, types in SCHEMES.items():
            path = folder / f"{NETWORK}-{scheme}.tflite"
            representative = calibration if scheme == "int8" else None
            tflite.convert(network, path, scheme=scheme, representative=representative, **types)  # type: ignore[arg-type]
            found.append(read_served(path, images=part.images, truth=part.labels))
            task.advance_to(len(found))
    return found


def answers_of_browser(models: "list[ServedModel]", page: dict[str, bytes]) -> tuple[list[np.ndarray], str]:
    """The answers that a browser sends for each file, in the type of its output, and the browser's name."""
    import base64
    import json

    from tflite.serving import Content, PageServer, body_limit, read_results

    sent: list[dict[str, Any]] = []

    def receive(body: bytes) -> str:
        read_results(body, models)  # what the command would not take is no answer
        sent.append(json.loads(body))
        return "Kept"

    server = PageServer(Content(page, body_limit(models), receive))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = _browser()
    try:
        driver.get(server.address("127.0.0.1"))
        with progress("answers of the browser", len(models)) as task:
            for place in range(len(models)):
                _run_page(driver, place)
                task.advance_to(place + 1)
        browser = f"Chromium {driver.capabilities['browserVersion']}"
    finally:
        driver.quit()
        server.shutdown()
        server.server_close()
    kinds = (np.dtype(model.output.dtype) for model in models)
    found = [np.frombuffer(base64.b64decode(each["answers"]), kind) for each, kind in zip(sent, kinds, strict=True)]
    return [each.reshape(model.answers.shape) for each, model in zip(found, models, strict=True)], browser


def agreement(model: "ServedModel", answers: np.ndarray) -> dict[str, Any]:
    """Numbers on how answers agree with the interpreter's: shares of images, differences of real numbers."""
    real = model.output.dequantize(answers)
    difference = np.abs(real.astype("float64") - model.answers)
    right = [float((scores.argmax(axis=1) == model.truth).mean()) for scores in (real, model.answers)]
    return {
        "images": len(answers),
        "same_class": float((real.argmax(axis=1) == model.answers.argmax(axis=1)).mean()),
        "same_outputs": float((difference == 0).mean()),
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "range": float(np.ptp(model.answers)),
        "step": model.output.scale,
        "accuracy_in_browser": right[0],
        "accuracy_here": right[1],
    }


def _run_page(driver: "Chrome", place: int) -> None:
    """Let the page measure and answer with one of its files, and send what came of it."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    from distiller.errors import WorkError

    def text(name: str) -> str:
        return driver.find_element(By.ID, name).text

    wait = WebDriverWait(driver, _PATIENCE)
    wait.until(lambda _: driver.find_element(By.ID, "run").is_enabled() or text("state"))
    if place:
        Select(driver.find_element(By.ID, "model")).select_by_index(place)
    driver.find_element(By.ID, "run").click()
    wait.until(lambda _: text("state").startswith(("Done", "It did not work")))
    if text("state") != "Done":
        raise WorkError(f"The browser failed: {text('state')}")
    driver.find_element(By.ID, "send").click()
    wait.until(lambda _: text("sent"))
    if text("sent") != "Kept":
        raise WorkError(f"The browser's answers were not taken: {text('sent')}")


def _browser() -> "Chrome":
    """Chromium without a window."""
    import os

    from distiller.errors import InputError

    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if None in programs.values():
        raise InputError("This needs a browser: apt-get install chromium chromium-driver, pip install selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    switches = ["--headless=new", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    for switch in switches:
        options.add_argument(switch)
    return webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))


def table() -> str:
    """Last recorded run, a row a file and a list item on how it was made."""
    return table_of_run(lines.last_run(lines.RESULTS / NAME))


def table_of_run(run: list[Line]) -> str:
    """Table of the lines of a run, and a list item on how it was made."""
    rows = [
        (
            f"{line['scheme']}{', uint8 for int8 at both ends' if line['changes'] else ''}",
            _difference(line),
            f"{line['same_class']:.1%}",
            f"{line['accuracy_in_browser']:.1%}",
            f"{line['accuracy_here']:.1%}",
        )
        for line in run
    ]
    one = run[0]
    below = (
        f"- {one['network']}, {one['images']:,} images of the validation split; LiteRT.js {one['litertjs']} in "
        f"{one['browser']}, ai-edge-litert {one['versions']['ai-edge-litert']}. {lines.machine(one)}."
    )
    head = ("File", "Largest difference of an output", "Same class", "Right in the browser", "Right here")
    return markdown_table(head, rows, [below])


def _difference(line: Line) -> str:
    """The largest difference of an output: in steps of integers, else as it is and as a share of the outputs' range."""
    if not line["max_difference"]:
        return "none: every output is the same to the last bit"
    if line["step"]:
        steps = line["max_difference"] / line["step"]
        return f"{steps:.0f} steps; {line['same_outputs']:.2%} of the outputs are the same"
    return f"{line['max_difference']:.2g}, {line['max_difference'] / line['range']:.1e} of the range"


@command(
    data_dir(),
    option("--images", type=positive, default=1000, metavar="N", help="how many images"),
    tiny(),
    results=NAME,
    show=table_of_run,
    passed=lambda run: all(line["same_class"] >= 0.99 for line in run),
)
def main(args: argparse.Namespace) -> list[Line]:
    """One line a file; the exit code is 1 where more than 1 % of the images get another class."""
    if args.tiny:
        args.images = min(args.images, 10)
    with tempfile.TemporaryDirectory() as folder:
        return measure(args, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
