"""What a bundle holds, and which files it cannot be made of; its code is compiled and run in `tests/apps`."""

import re

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import tflite
from distiller.cli.entry import app

LABELS = [f"number {i}" for i in range(10)]


@pytest.fixture(scope="module")
def file(network, digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundled") / "Digits-int8.tflite"
    tflite.convert(network, path, scheme="int8", representative=digits.images[:50], labels=LABELS)
    return path


def test_the_files_and_their_names(file, tmp_path):
    made = tflite.bundle(file, tmp_path / "app", package="org.mine")
    there = sorted(path.relative_to(made.path).as_posix() for path in made.path.rglob("*") if path.is_file())
    test, main = "android/app/src/androidTest", "android/app/src/main"
    images = [f"{test}/assets/digits_int8_image_{i}.{ending}" for i in range(3) for ending in ("png", "txt")]
    assert list(made.files) == there == [
        "README.md",
        *images,
        f"{test}/java/org/mine/DigitsInt8ClassifierTest.kt",
        f"{main}/assets/digits_int8.tflite",
        f"{main}/assets/digits_int8_labels.txt",
        f"{main}/java/org/mine/DigitsInt8Classifier.kt",
        "ios/DigitsInt8Classifier.swift",
        "ios/digits_int8.tflite",
        "ios/digits_int8_labels.txt",
        "microcontroller/digits_int8_model.cc",
        "microcontroller/digits_int8_model.h",
    ]  # fmt: skip
    for folder in (f"{main}/assets", "ios"):
        assert (made.path / folder / "digits_int8.tflite").read_bytes() == file.read_bytes()
        assert (made.path / folder / "digits_int8_labels.txt").read_text().splitlines() == LABELS


def test_its_images_are_those_given_and_their_scores_the_interpreters(file, digits, network, tmp_path):
    made = tflite.bundle(file, tmp_path / "app", images=digits.images[200:240])
    assets = made.path / "android/app/src/androidTest/assets"
    logits = network.predict(digits.images[200:203], verbose=0)
    step = tflite.inspect(file).outputs[0].scale
    for i in range(3):
        picture = np.asarray(Image.open(assets / f"digits_int8_image_{i}.png"))
        np.testing.assert_array_equal(picture, digits.images[200 + i, ..., 0])
        scores = np.array((assets / f"digits_int8_image_{i}.txt").read_text().split(), float)
        # The float network is the reference; the integer file is within some steps of it.
        np.testing.assert_allclose(scores, logits[i], atol=6 * step)
        np.testing.assert_allclose(scores / step, np.rint(scores / step), atol=1e-3)


def test_the_class_says_what_the_file_holds(file, tmp_path):
    made = tflite.bundle(file, tmp_path / "app")
    kotlin = next(made.path.rglob("DigitsInt8Classifier.kt")).read_text()
    constants = dict(re.findall(r"const val (\w+) = (\d+)", kotlin))
    assert constants == {"WIDTH": "8", "HEIGHT": "8", "CLASSES": "10"}
    output = tflite.inspect(file).outputs[0]
    assert f"(output.get() - {output.zero_point}) * {output.scale!r}f" in kotlin


def test_no_permission_and_no_connection_is_asked_for(file, tmp_path):
    made = tflite.bundle(file, tmp_path / "app")
    assert not [place for place in made.files if place.endswith("AndroidManifest.xml")]
    code = [path.read_text() for ending in ("kt", "swift", "h") for path in made.path.rglob(f"*.{ending}")]
    assert len(code) == 4
    for words in ("permission", "java.net", "Socket", "URL", "http"):
        assert not [text for text in code if words in text]


def test_an_output_of_probabilities_gets_no_second_softmax(digits, tmp_path):
    pixels = keras.Input((8, 8, 1))
    answers = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(pixels))
    tflite.convert(keras.Model(pixels, answers), tmp_path / "soft.tflite", labels=LABELS)
    made = tflite.bundle(tmp_path / "soft.tflite", tmp_path / "app", platforms=["android", "ios"])
    for name in ("SoftClassifier.kt", "SoftClassifier.swift"):
        code = next(made.path.rglob(name)).read_text()
        assert "the model ends in a softmax" in code
        assert "exp(" not in code


def sequence():
    steps = keras.Input((12, 3))
    return keras.Model(steps, keras.layers.Dense(4)(keras.layers.Flatten()(steps)))


def segmentation():
    pixels = keras.Input((8, 8, 3))
    return keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels))


@pytest.mark.parametrize(
    ("build", "received"),
    [(sequence, r"inputs of shape \(1, 12, 3\)"), (segmentation, r"outputs of shape \(1, 6, 6, 4\)")],
)
def test_other_tasks_are_refused(build, received, tmp_path):
    tflite.convert(build(), tmp_path / "other.tflite")
    with pytest.raises(tflite.ModelError, match=f"classifier of single images .*{received}"):
        tflite.bundle(tmp_path / "other.tflite", tmp_path / "app", labels=list("abcd"))
    assert not (tmp_path / "app").exists()


def test_labels_types_platforms_and_operators_are_checked(file, files, network, digits, tmp_path):
    wide = tmp_path / "wide.tflite"
    tflite.convert(
        network, wide, scheme="int16x8", representative=digits.images[:20], labels=LABELS, input_type="int16"
    )
    gelu = tmp_path / "gelu.tflite"
    pixels = keras.Input((8, 8, 1))
    answers = keras.layers.Dense(10)(keras.layers.Flatten()(keras.layers.Activation("gelu")(pixels)))
    tflite.convert(keras.Model(pixels, answers), gelu, labels=LABELS)
    for path, options, message in [
        (files["float32"].path, {}, "Expected 10 class labels .* Received: none. Give .* --labels"),
        (files["float32"].path, {"labels": ["a", "b"]}, "Received: 2"),
        (wide, {}, "of int16. Convert it with input_type"),
        (file, {"platforms": ["symbian"]}, "Expected platforms of android, ios, microcontroller. Received: symbian"),
        (file, {"platforms": []}, "Received: none"),
        (file, {"package": "org.my app"}, "Expected a package such as .* Received: 'org.my app'"),
        (file, {"package": "org.fun.app"}, "Received: 'org.fun.app'"),
        (file, {"name": "猫"}, "Give one: --name"),
        (file, {"images": digits.images[:3].astype("float32")}, "test images as uint8 .* Received: float32"),
        (gelu, {}, "which it lacks. Leave that platform out"),
    ]:
        with pytest.raises(tflite.ModelError, match=message):
            tflite.bundle(path, tmp_path / "app", **options)
    assert not (tmp_path / "app").exists()
    assert tflite.bundle(gelu, tmp_path / "app", platforms=["android"]).class_name == "GeluClassifier"


def test_only_an_earlier_bundle_is_replaced(file, tmp_path):
    tflite.bundle(file, tmp_path / "app")
    with pytest.raises(tflite.ModelError, match="an earlier bundle"):
        tflite.bundle(file, tmp_path / "app", platforms=["ios"])
    tflite.bundle(file, tmp_path / "app", platforms=["ios"], overwrite=True)
    assert not (tmp_path / "app" / "android").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(tflite.ModelError, match="other files"):
        tflite.bundle(file, other, overwrite=True)
    assert (other / "thesis.txt").read_text() == "mine"
    with pytest.raises(tflite.ModelError, match="a file"):
        tflite.bundle(file, other / "thesis.txt")


def test_the_command(file, files, tmp_path):
    run = CliRunner().invoke
    done = run(app, ["bundle", str(file), "--out", str(tmp_path / "app"), "--data", "digits", "--platform", "android"])
    assert done.exit_code == 0, done.output
    assert "12 files, of the class DigitsInt8Classifier" in done.output.replace("\n", " ") or "README.md" in done.output
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{label}\n" for label in LABELS))
    out = str(tmp_path / "plain")
    done = run(app, ["bundle", str(files["int8"].path), "--out", out, "--labels", str(names), "--json"])
    assert done.exit_code == 0, done.output
    assert '"class_name"' in done.output


def test_classes_of_the_images_are_chosen_as_a_refusal_says(digits, tmp_path):
    """A file of two classes of digits: the images of the test in the bundle are of these."""
    pixels = keras.Input((8, 8, 1))
    answers = keras.layers.Dense(2)(keras.layers.Flatten()(pixels))
    path = tflite.convert(keras.Model(pixels, answers), tmp_path / "two.tflite").path
    names = tmp_path / "names.txt"
    names.write_text("seven\nthree\n")
    options = [str(path), "--out", str(tmp_path / "app"), "--platform", "android", "--labels", str(names)]
    run = CliRunner().invoke
    done = run(app, ["bundle", *options, "--data", "digits"])
    assert "Choose the classes of the images with --classes" in str(done.exception)
    done = run(app, ["bundle", *options, "--data", "digits", "--classes", "7,3"])
    assert done.exit_code == 0, done.output
    first = Image.open(next((tmp_path / "app").rglob("two_image_0.png")))
    known = digits.images[np.isin(digits.labels, (3, 7))][..., 0]
    assert any(np.array_equal(np.asarray(first.convert("L")), image) for image in known)
    done = run(app, ["bundle", *options, "--classes", "7,3", "--force"])
    assert "Expected --data with --classes" in str(done.exception)
