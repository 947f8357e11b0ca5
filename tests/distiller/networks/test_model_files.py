"""Files of models in other forms: what is opened, and what is said of the rest, wherever a model file is opened."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from distiller import Distiller, teachers
from distiller.errors import InputError
from distiller.networks import image_size
from tflite.model_file.interpreter import Runner

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inputs))
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """One network in every form that Keras 3 writes, and what stands for a SavedModel of Keras 2."""
    made = tmp_path_factory.mktemp("forms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, about what Keras does for HDF5
        network.save(made / "model.h5")
    network.save_weights(made / "model.weights.h5")
    (made / "weights_only.h5").write_bytes((made / "model.weights.h5").read_bytes())
    for name, files in {"exported": ["saved_model.pb"], "keras_2": ["saved_model.pb", "keras_metadata.pb"]}.items():
        (made / name).mkdir()
        for file in files:
            (made / name / file).write_bytes(b"")
    return made


def test_hdf5_is_opened_by_converter_and_teacher(folder, network, tmp_path):
    expected = np.asarray(network(IMAGES))
    made = tflite.convert(folder / "model.h5", tmp_path / "a.tflite")
    np.testing.assert_allclose(Runner(made.path)(IMAGES), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(teachers.load(folder / "model.h5")(IMAGES)), expected, rtol=1e-4, atol=1e-5)
    assert image_size.of_keras(folder / "model.h5") == (8, 8)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.weights.h5", r"holds weights and no model\. Make the model, then model\.load_weights"),
        ("weights_only.h5", r"holds weights and no model\. Make the model, then model\.load_weights"),
        ("keras_2", r"a SavedModel of Keras 2.*import tf_keras; tf_keras\.models\.load_model\('.*keras_2'\)\.save"),
        ("exported", r"a SavedModel made to be served.*model\.save\('model\.keras'\)"),
        ("none.h5", "does not exist"),
    ],
)
def test_other_forms_are_told_with_the_way_out(folder, name, told):
    with pytest.raises(tflite.ModelError, match=told):
        tflite.load_model(folder / name)
    with pytest.raises(InputError, match=told):
        teachers.load(folder / name)


def test_a_saved_distiller_is_told_in_one_sentence(network, tmp_path):
    distiller = Distiller(teacher=network, student=keras.models.clone_model(network), objectives={"soft": "hinton"})
    distiller.save(tmp_path / "distiller.keras")
    for use in (teachers.load, lambda path: tflite.convert(path, tmp_path / "a.tflite")):
        with pytest.raises(ValueError, match=r"trains a network.*`?\.student") as caught:
            use(tmp_path / "distiller.keras")
        assert len(str(caught.value)) < 300
    assert not (tmp_path / "a.tflite").exists()


def test_what_would_be_written_has_an_ending_of_its_own(network, tmp_path):
    for name in ("out.onnx", "out.keras", "out.PT"):
        with pytest.raises(
            tflite.ModelError, match=rf"a \.tflite file to write.*{name}', whose ending is that of another"
        ):
            tflite.convert(network, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_a_scheme_in_capitals_and_hdf5(folder, command, tmp_path):
    code, printed, errors = command("convert", folder / "model.h5", tmp_path / "a.tflite", "--scheme", "Float16")
    assert (code, errors) == (0, "")
    assert printed.startswith(f"{tmp_path / 'a.tflite'}: ")
    code, _, errors = command("convert", folder / "model.h5", tmp_path / "b.tflite", "--scheme", "INT8")
    assert code == 2
    assert "Expected images for --scheme int8" in errors
