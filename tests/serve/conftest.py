"""Files of every border, served; and a browser that looks at them."""

import threading
from dataclasses import dataclass

import keras
import numpy as np
import pytest

import tflite
from tflite.serving import (
    Content,
    PageServer,
    ServedModel,
    body_limit,
    files_of_page,
    read_results,
    read_served,
    runtime,
)

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 70.0)
LABELS = ["cat", "café <b>", "dog", "<img src=x onerror=alert(1)>"]


@pytest.fixture(scope="session")
def pictures():
    """Smooth images with noise, so that resized ones are others."""
    random = np.random.default_rng(5)
    smooth = random.uniform(0, 255, (40, 1, 1, 3)) + random.normal(0, 40, (40, 12, 10, 3))
    return np.clip(smooth, 0, 255).astype("uint8")


@pytest.fixture(scope="session")
def models(pictures, tmp_path_factory):
    """The same network as files with every type at the border that a browser meets."""
    keras.utils.set_random_seed(2)
    pixels = keras.Input((12, 10, 3), name="pixels")
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(pixels)
    x = keras.layers.DepthwiseConv2D(3, activation="relu")(x)
    model = keras.Model(pixels, keras.layers.Dense(len(LABELS))(keras.layers.Flatten()(x)))
    scaled = ((pictures - np.array(MEAN)) / np.array(STD)).astype("float32")
    truth = model.predict(scaled, verbose=0).argmax(axis=1)
    folder = tmp_path_factory.mktemp("files")
    found = []
    for scheme, types in (
        ("float32", {}),
        ("float16", {}),
        ("int8", {"input_type": "int8", "output_type": "int8"}),
        ("int16x8", {"input_type": "int16", "output_type": "int16"}),
    ):
        path = folder / f"small-{scheme}.tflite"
        integer = scheme.startswith("int")
        tflite.convert(
            model,
            path,
            scheme=scheme,
            representative=scaled if integer else None,
            labels=LABELS,
            normalization=(MEAN, STD),
            **types,
        )
        found.append(read_served(path, images=pictures, truth=truth))
    return found


@dataclass
class Served:
    """A running server, what it serves and what it has received."""

    server: PageServer
    models: list[ServedModel]
    received: list

    @property
    def address(self):
        return self.server.address("127.0.0.1")


@pytest.fixture(scope="session")
def litert():
    return runtime.load()


@pytest.fixture
def serve(litert):
    """Start servers of models; they end with the test."""
    started = []

    def start(models, context=None, host="127.0.0.1"):
        received = []

        def receive(body):
            received.append(read_results(body, models))
            return "Kept, thank you."

        content = Content(files_of_page(models, litert), body_limit(models), receive)
        server = PageServer(content, host, context=context)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        started.append(server)
        return Served(server, models, received)

    yield start
    for server in started:
        server.shutdown()
        server.server_close()
