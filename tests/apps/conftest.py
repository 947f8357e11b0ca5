"""Bundles for files of every kind of border, made once."""

import hashlib
import shutil

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import tflite

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 70.0)
LABELS = ("cat", 'a "quoted" name', "café ???/", "dog")


def _network(channels: int, rescaled: bool) -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((6, 5, channels), name="pixels")
    x = pixels if rescaled else keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    return keras.Model(pixels, keras.layers.Dense(len(LABELS))(keras.layers.Flatten()(x)))


def _input_bytes(name: str, image: np.ndarray, port) -> bytes:
    """What goes into the file for the pixels of an image, computed from the definition."""
    if name == "float_colour":
        return ((image - np.array(MEAN)) / np.array(STD)).astype("float32").tobytes()
    if name == "int8_grey":
        return np.clip(np.rint(image / port.scale) + port.zero_point, -128, 127).astype("int8").tobytes()
    return image.tobytes()


class Bundled:
    """A bundle, the images of its test, and the answers of LiteRT's own interpreter, by what goes in."""

    def __init__(self, name, folder, **options):
        random = np.random.default_rng(2)
        channels = 1 if name == "int8_grey" else 3
        self.name = name
        self.images = random.integers(0, 256, (3, 6, 5, channels)).astype("uint8")
        self.file = folder / f"{name}.tflite"
        some = random.integers(0, 256, (50, 6, 5, channels)).astype("float32")
        if name != "float_colour":
            options["representative"] = some
        tflite.convert(_network(channels, name == "float_colour"), self.file, labels=list(LABELS), **options)
        self.made = tflite.bundle(self.file, folder / f"{name}_app", images=self.images)
        self.path = self.made.path
        self.port = tflite.inspect(self.file).inputs[0]
        self.inputs = [_input_bytes(name, image, self.port) for image in self.images]
        self.outputs = [self._run(content) for content in self.inputs]

    def _run(self, content: bytes) -> np.ndarray:
        interpreter = Interpreter(str(self.file))
        interpreter.allocate_tensors()
        (taken,), (left,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(taken["index"], np.frombuffer(content, taken["dtype"]).reshape(taken["shape"]))
        interpreter.invoke()
        return interpreter.get_tensor(left["index"])[0]

    def write_answers(self, folder):
        """Raw outputs for the interpreter of the stubs, by the digest of what goes in."""
        folder.mkdir()
        for content, output in zip(self.inputs, self.outputs, strict=True):
            (folder / hashlib.sha256(content).hexdigest()).write_bytes(output.tobytes())


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> dict[str, Bundled]:
    folder = tmp_path_factory.mktemp("bundles")
    kinds = {
        "uint8_colour": {"scheme": "int8"},
        "int8_grey": {"scheme": "int8", "input_type": "int8", "output_type": "uint8"},
        "float_colour": {"scheme": "float32", "normalization": (MEAN, STD)},
    }
    return {name: Bundled(name, folder, **options) for name, options in kinds.items()}


@pytest.fixture(scope="session", autouse=True)
def _compilers():
    missing = [program for program in ("kotlinc", "javac", "java", "g++") if shutil.which(program) is None]
    assert not missing, f"{', '.join(missing)}: apt-get install kotlin default-jdk-headless g++"
