"""`distiller serve`: its options, one page as a file, and where results go."""

import base64
import json
import queue

import keras
import numpy as np
import pytest
import segno
from PIL import Image
from support.made_reports import folder_of, made

import tflite
from distiller import report
from distiller.cli import serve
from distiller.report import measured
from tflite.serving import read_served, runtime

LITERT = {name: f"// {name}".encode() for name in runtime._MEMBERS}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 1), name="pixels")
    model = keras.Model(pixels, keras.layers.Dense(10)(keras.layers.Flatten()(pixels)))
    path = tmp_path_factory.mktemp("files") / "small.tflite"
    ones = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1)).astype("float32")
    tflite.convert(model, path, scheme="int8", representative=ones, labels=[str(i) for i in range(10)])
    return path


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setattr(runtime, "load", lambda *_, **__: LITERT)


def test_one_page_with_real_images_and_their_classes(command, file, tmp_path):
    out = tmp_path / "page.html"
    code, said, errors = command("serve", file, "--data", "digits", "--count", "20", "--page", out)
    assert code == 0, errors
    assert "small.tflite: browsers get a copy of it: its output gives uint8 for int8" in said
    assert f"Page: {out}, 0.0 MB. It holds the files and LiteRT.js (Apache-2.0)" in said
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_pictures_of_a_folder_in_grey_and_in_the_files_size(command, file, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, colour in enumerate([(255, 0, 0), (0, 255, 0), (10, 10, 10)]):
        Image.new("RGB", (16, 24), colour).save(folder / f"{i}.png")
    seen = []
    monkeypatch.setattr("tflite.serving.single_page", lambda models, _: seen.extend(models) or b"page")
    assert command("serve", file, "--images", folder, "--count", "2", "--page", tmp_path / "p.html")[0] == 0
    (model,) = seen
    assert (model.images.shape, model.truth) == ((2, 8, 8, 1), None)
    assert [set(image.ravel().tolist()) for image in model.images] == [{76}, {150}]  # BT.601: 0.299 and 0.587 of 255


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--page", "p.html", "--host", "0.0.0.0"], "Expected --host without --page"),
        (["--page", "p.html", "--https"], "Expected --https without --page"),
        (["--data-dir", "."], "Expected --data with --data-dir"),
        (["--data", "digits", "--images", "."], "Expected one of --data and --images"),
        (["--images", "nowhere"], "Expected --images as a folder with image files"),
        (["--page", "."], "Expected --page as a file to write. Received: '.', a folder"),
        (["--labels", "nowhere.txt"], "Expected --labels to be a text file"),
        (["--report", "nowhere"], "nowhere"),
        (["--host", "203.0.113.7"], "Cannot listen at '203.0.113.7', port 0"),
    ],
)
def test_options_that_do_not_work(command, file, options, said):
    code, _, errors = command("serve", file, *options)
    assert code == 2
    assert said in errors


def test_a_page_that_cannot_be_written(command, file, tmp_path):
    code, _, errors = command("serve", file, "--page", tmp_path / "nowhere" / "p.html")
    assert code == 2
    assert "The page cannot be written to" in errors


def sent(model):
    run = {"samples_ms": [2.0, 4.0], "repeats": 1, "warmup_runs": 1, "first_ms": 1, "init_ms": 1, "resolution_ms": 0.1}
    return {
        "model": 0,
        "digest": model.digest,
        "build": runtime.BUILDS[0],
        "device": {"name": "", "model": "Pixel 8", "system": "Android 15", "browser": "Chrome 150"},
        "runs": [{"threads": 1, **run}],
        "answers": base64.b64encode(model.output.quantize(model.answers).tobytes()).decode(),
    }


def test_results_go_to_the_run_and_its_page(file, tmp_path, capsys):
    model = read_served(file)
    run = folder_of(tmp_path, made())
    changed = queue.Queue()
    receive = serve._receiver([model], run, changed.put)
    assert receive(json.dumps(sent(model)).encode()) == "Kept with the run, thank you."
    said = capsys.readouterr().out
    assert "small.tflite on Pixel 8, Android 15, Chrome 150, 1 thread: median 3 ms, p90 3.8 ms\n" in said
    assert "Answers 32 images with the class that the interpreter gives here on 32" in said
    (kept,) = measured.read(run)
    assert (kept.median_ms, kept.device) == (3.0, "Pixel 8, Android 15, Chrome 150")
    assert changed.get_nowait() == run
    assert "Pixel 8, Android 15, Chrome 150" in report.write(run).read_text()


def test_results_without_a_run_lie_beside_the_file(file, tmp_path, capsys):
    model = read_served(file)
    changed = queue.Queue()
    receive = serve._receiver([model], tmp_path, changed.put)
    assert receive(json.dumps(sent(model)).encode()) == "Kept beside the file, thank you."
    (path,) = tmp_path.glob("small-browser-*.json")
    assert tflite.tool.read_all(path)[0].median_ms == 3.0
    assert changed.empty()


def test_results_that_cannot_be_kept_are_told_on_both_sides(file, tmp_path, capsys):
    model = read_served(file)
    receive = serve._receiver([model], tmp_path / "gone", lambda _: None)
    with pytest.raises(tflite.ModelError, match="its terminal says why"):
        receive(json.dumps(sent(model)).encode())
    assert "Not kept: " in capsys.readouterr().err


def test_the_code_on_the_terminal_is_that_of_the_address(monkeypatch, capsys):
    """Read back from its half blocks, which are light, and held against the modules of the library."""
    address = "http://192.0.2.7:8080/abcdefghijklmnopqrstuv/"
    serve._show_code(address)
    assert capsys.readouterr().out == ""  # no terminal
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    serve._show_code(address)
    rows = []
    for line in capsys.readouterr().out.splitlines():
        assert (line[:8], line[-4:]) == ("\x1b[97;40m", "\x1b[0m")
        halves = [{"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}[block] for block in line[8:-4]]
        rows += zip(*halves, strict=True)
    code = [list(row) for row in segno.make(address, error="l", micro=False).matrix]
    size = len(code)
    assert [list(row[2 : size + 2]) for row in rows[2 : size + 2]] == code
    assert {cell for row in rows[:2] for cell in row} == {0}
