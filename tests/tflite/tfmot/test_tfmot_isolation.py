"""What the import of tensorflow-model-optimization does to a process, and a model that a new process loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tflite

ROOT = Path(__file__).parents[3]
PACKAGES = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization")


def run(code, *arguments, **environment):
    """What a new process prints, as JSON."""
    kept = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    call = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(call.stdout)


def test_the_package_and_its_functions_import_none_of_them():
    code = f"""if True:
        import json, sys, tflite
        functions = tflite.prune, tflite.cluster, tflite.plain, tflite.quantize_aware
        print(json.dumps([name for name in {PACKAGES} if name in sys.modules]))
    """
    assert run(code) == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A quantization-aware model in a `.keras` file, and the bytes of its int8 file."""
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 1))
    x = layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(layers.Rescaling(1 / 64)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(x), name="small")
    tflite.quantize_aware(model, engine="tfmot")  # names must not count what was made before
    aware = tflite.quantize_aware(model, engine="tfmot")
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype("float32")
    images.flat[:2] = 0.0, 255.0
    aware(images, training=True)
    aware.save(folder / "aware.keras")
    return folder, tflite.convert(aware, folder / "aware.tflite", scheme="int8").path.read_bytes()


def test_keras_stays_3_and_the_environment_as_it_was(saved):
    folder, content = saved
    code = """if True:
        import json, os, sys, tflite
        tflite.convert(sys.argv[1], sys.argv[2], scheme="int8")
        import keras, tensorflow as tf
        layer = tf.keras.layers.Dense(2)
        print(json.dumps([
            "tensorflow_model_optimization" in sys.modules, keras.__version__[0], tf.keras.__version__[0],
            isinstance(layer, keras.layers.Layer), os.environ.get("TF_USE_LEGACY_KERAS"),
        ]))
    """
    # The new process loads the model from its file, which this one wrote, and writes the same file of integers.
    assert run(code, folder / "aware.keras", folder / "again.tflite") == [True, "3", "3", True, None]
    assert (folder / "again.tflite").read_bytes() == content


def test_what_the_caller_set_stays_set():
    from tflite.tfmot.library import _environment_kept

    for before in ("0", None):
        with pytest.MonkeyPatch.context() as patch:
            if before is None:
                patch.delenv("TF_USE_LEGACY_KERAS", raising=False)
            else:
                patch.setenv("TF_USE_LEGACY_KERAS", before)
            with _environment_kept():
                os.environ["TF_USE_LEGACY_KERAS"] = "1"
            assert os.environ.get("TF_USE_LEGACY_KERAS") == before


def test_code_in_a_configuration_is_refused():
    from tflite.tfmot.network import TfKerasNetwork
    from tflite.tfmot.pruning import Pruned

    inputs = keras.Input((4, 4, 1))
    source = keras.Model(inputs, layers.Lambda(lambda x: x)(inputs)).to_json()
    with pytest.raises(ValueError, match="Lambda"):
        TfKerasNetwork(source, Pruned(0.0, 0.5, 0, 10, 1))
