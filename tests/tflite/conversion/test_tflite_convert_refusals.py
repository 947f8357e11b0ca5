"""Models that are refused: each with one message, and no file."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite import ConversionError, ModelError


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="sub")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(keras.ops.mean(x, axis=(1, 2)))


class Stubborn(layers.Layer):
    """Makes a layer that its configuration does not tell of."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(2, dtype="mixed_bfloat16", name="inner")

    def call(self, x):
        return self.inner(x)


def test_models_that_cannot_be_converted(tmp_path):
    inputs = keras.Input((8, 8, 1))
    called = Subclassed()
    called(np.zeros((1, 8, 8, 1), "float32"))
    open_size = keras.Input((None, None, 1))
    integers = keras.Input((8, 8, 1), dtype="uint8")
    for model, message in [
        (3, r"Expected a keras.Model or the path of a .keras file. Received: builtins.int"),
        (Subclassed(), "Expected a built model. Received: 'sub'"),
        (keras.Sequential([layers.Dense(2)], name="seq"), "Expected a built model. Received: 'seq'"),
        (called, "functional or sequential model. Received: 'sub' of the subclass Subclassed"),
        (keras.Model(inputs, layers.Lambda(lambda x: x, name="code")(inputs)), "the Lambda layer 'code'"),
        (keras.Model(open_size, layers.Flatten()(open_size)), r"fixed input shape. Received: .*\(None, None, 1\)"),
        (keras.Model(integers, layers.Rescaling(2)(integers)), "inputs of float32.* Received: .* with uint8"),
        (keras.Model(inputs, Stubborn()(inputs)), "compute in float32. Received: 'inner' of class Dense in bfloat16"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.convert(model, tmp_path / "a.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_a_loop_is_not_measured(tmp_path, scheme):
    """The converter would end the process."""
    inputs = keras.Input((4, 3))
    recurrent = [
        layers.GRU(2, name="first", return_sequences=True),
        layers.Bidirectional(layers.LSTM(2), name="second"),
    ]
    for layer, message in [(recurrent[0], "layer 'first'"), (recurrent[1], "layer 'second/")]:
        x = layers.Flatten()(layer(inputs))
        with pytest.raises(ConversionError, match=f"a loop in {message}.* unroll=True .* or scheme='dynamic'"):
            tflite.convert(
                keras.Model(inputs, layers.Dense(2)(x)),
                tmp_path / "a.tflite",
                scheme=scheme,
                representative=np.full((2, 4, 3), 200.0, "float32"),
            )
    assert list(tmp_path.iterdir()) == []


def test_keras_files_that_cannot_be_loaded(keras_file, files, tmp_path):
    path = tmp_path / "a.tflite"
    with pytest.raises(ModelError, match=r"Received: '.*nowhere\.keras', which does not exist"):
        tflite.convert(tmp_path / "nowhere.keras", path)
    with pytest.raises(ModelError, match="which is a folder"):
        tflite.convert(tmp_path, path)
    with pytest.raises(ModelError, match="which is of another kind or truncated"):
        tflite.convert(files["int8"].path, path)
    cut = tmp_path / "cut.keras"
    content = keras_file.read_bytes()
    for kept in (0, 100, len(content) // 2, len(content) - 30):
        cut.write_bytes(content[:kept])
        with pytest.raises(ModelError, match="which is of another kind or truncated"):
            tflite.convert(cut, path)
    middle = len(content) // 2
    cut.write_bytes(content[:middle] + bytes(200) + content[middle + 200 :])
    with pytest.raises(ModelError, match=r"Keras could not load '.*cut\.keras'"):
        tflite.convert(cut, path)
    assert not path.exists()


def test_code_in_a_keras_file_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "code.keras")
    with pytest.raises(ModelError, match=r"Keras could not load '.*code\.keras'"):
        tflite.convert(tmp_path / "code.keras", tmp_path / "a.tflite")
