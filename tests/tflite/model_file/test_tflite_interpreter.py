"""Files that are none, and images through an interpreter, against an interpreter that is driven by hand."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from support.odd_files import changed

import tflite
from tflite import ModelError
from tflite.model_file.interpreter import Runner, allocate, open_model
from tflite.parity.file_side import Steps
from tflite.tfmot.library import library
from tflite.utils.quiet import quiet


def by_hand(path, images):
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    [before], [after] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(before["index"], image[None].astype(before["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(after["index"])[0])
    return np.stack(outputs)


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8"])
def test_batches_give_the_outputs_of_single_images(files, held_out, scheme):
    images = held_out.images[:150]  # two batches and a part of one
    run = Runner(files[scheme].path)
    expected = by_hand(files[scheme].path, images)
    if scheme == "int8":
        np.testing.assert_array_equal(run.integers(images), expected)
        scale, zero_point = files[scheme].output.scale, files[scheme].output.zero_point
        np.testing.assert_allclose(run(images), scale * (expected.astype("float64") - zero_point), rtol=1e-5)
    else:
        np.testing.assert_allclose(run(images), expected, rtol=1e-4, atol=1e-4)
    assert run(images).dtype == "float32"


def test_integer_files_run_in_batches(files, held_out):
    run = Runner(files["int8"].path)
    run(held_out.images[:2])
    assert run.batched


def test_pixels_may_be_of_any_type(files, held_out):
    run = Runner(files["int8"].path)
    images = held_out.images[:70]
    for dtype in ("float32", "float64", "int64"):
        np.testing.assert_array_equal(run.integers(images.astype(dtype)), run.integers(images))


def test_threads_and_delegates_give_the_same_outputs(files, held_out):
    images = held_out.images[:20]
    expected = Runner(files["int8"].path)(images)
    np.testing.assert_array_equal(Runner(files["int8"].path, threads=2)(images), expected)
    # Other kernels round in other places, by less than a step on average.
    plain = Runner(files["int8"].path, delegate="none")(images)
    assert np.abs(plain - expected).mean() < files["int8"].output.scale


class Mixing(tf.Module):
    """The result for an image depends on the other images of the batch."""

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 1))])
    def centred(self, x):
        return tf.reshape(x - 0.5 * tf.reduce_mean(x, axis=0), (-1, 16))

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 1))])
    def reshaped(self, x):
        return tf.reshape(x, (1, 16)) * 0.5


@pytest.mark.parametrize("name", ["centred", "reshaped"])
def test_models_that_do_not_take_batches_run_one_image_at_a_time(tmp_path, name):
    module = Mixing()
    function = getattr(module, name).get_concrete_function()
    path = tmp_path / "mixing.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert())
    images = np.random.default_rng(0).uniform(0, 255, (70, 4, 4, 1)).astype("float32")
    run = Runner(path)
    np.testing.assert_allclose(run(images), images.reshape(70, 16) * 0.5, rtol=1e-5)
    assert not run.batched


def test_a_file_for_several_images_at_once_takes_any_number(tmp_path):
    import tensorflow as tf

    function = tf.function(lambda x: tf.reduce_sum(x, axis=1), input_signature=[tf.TensorSpec((4, 3, 2))])
    path = tmp_path / "four.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert())
    images = np.arange(30, dtype="float32").reshape(5, 3, 2)
    np.testing.assert_array_equal(Runner(path)(images), images.sum(axis=1))
    np.testing.assert_array_equal(Runner(path)(images[:1]), images[:1].sum(axis=1))


def test_images_for_a_file_of_any_size_are_refused_with_the_reason(tmp_path):
    function = tf.function(lambda x: tf.reduce_mean(x, axis=(1, 2)), [tf.TensorSpec((1, None, None, 2))])
    path = tmp_path / "open.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert())
    images = np.arange(48, dtype="float32").reshape(2, 4, 3, 2)
    run = Runner(path)
    assert run.input.shape == (1, 1, 1, 2)
    message = r"images of shape \(n, 1, 1, 2\).*Received: \(2, 4, 3, 2\). The file leaves the size of its input open"
    for refuse in (run, Steps(path).run):
        with pytest.raises(ModelError, match=message):
            refuse(images)
    np.testing.assert_array_equal(run(images[:, :1, :1]), images[:, 0, 0])


def test_an_image_leaves_no_state_to_the_next(tmp_path):
    """An operator of the runtime for a recurrent layer keeps its state from run to run."""
    keras2 = library().keras2
    model = keras2.Sequential([keras2.Input((4, 3), batch_size=1), keras2.layers.LSTM(5)])
    path = tmp_path / "recurrent.tflite"
    with quiet():
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    sequences = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    sequences[1] = sequences[0]
    expected = np.concatenate([np.asarray(model(one[None])) for one in sequences])
    run = Runner(path)
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in [step.operator.name for step in Steps(path).all]
    for _ in range(2):
        np.testing.assert_allclose(run(sequences), expected, atol=1e-5)
    np.testing.assert_allclose(Steps(path).run(sequences)[-1][:, 0], expected, atol=1e-5)


def test_noise_of_the_interpreter_is_not_shown(files, capfd):
    allocate(open_model(files["int8"].path), files["int8"].path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", [0, 3, 7, 8, 20, 100, 1000, 0.3, 0.5, 0.9, 0.999])
def test_truncated_files(files, tmp_path, kept):
    content = files["int8"].path.read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ModelError, match=r"cut\.tflite.*(another kind|damaged or truncated)"):
        open_model(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scales: {"zeroPoint": [0]}, "1 zero_point values and 8 scale values. Must have same number. Tensor"),
        (lambda scales: {"scale": scales[:2], "zeroPoint": [0, 0]}, "per-axis quantization, but got 2. Tensor"),
        (lambda scales: {"quantizedDimension": 7}, r"quantized_dimension must be in range \[0, 4\). Was 7. Tensor"),
    ],
)
def test_whole_files_that_the_runtime_refuses_are_not_called_damaged(files, tmp_path, change, reason):
    """What converters of 2019 wrote; the file has every byte."""

    def apply(model):
        made = (tensor for tensor in model.subgraphs[0].tensors if len(tensor.shape) == 4 and tensor.quantization)
        weights = next(tensor for tensor in made if np.size(tensor.quantization.scale) == 8)
        for name, value in change(list(weights.quantization.scale)).items():
            setattr(weights.quantization, name, value)

    path = changed(files["int8"].path, tmp_path / "a.tflite", apply)
    with pytest.raises(
        ModelError, match=rf"is whole, but the runtime refuses .*: .*{reason}.*Convert the model anew"
    ) as e:
        open_model(path)
    assert "damaged" not in str(e.value)
    for refuse in (tflite.check, tflite.inspect, tflite.benchmark, tflite.labels):
        with pytest.raises(ModelError, match="is whole, but the runtime refuses"):
            refuse(path)


def test_a_newer_operator_is_no_damage(files, tmp_path):
    def apply(model):
        model.operatorCodes[0].version = 99

    path = changed(files["int8"].path, tmp_path / "a.tflite", apply)
    with pytest.raises(ModelError, match=r"is whole, but .*version '99'. An older version"):
        open_model(path)


def test_weights_that_are_cut_short_are_damage(files, tmp_path):
    def apply(model):
        buffer = max(model.buffers, key=lambda held: len(held.data) if held.data is not None else 0)
        buffer.data = buffer.data[:5]

    with pytest.raises(ModelError, match="damaged or truncated"):
        open_model(changed(files["int8"].path, tmp_path / "a.tflite", apply))


def test_files_that_are_none(tmp_path, keras_file):
    with pytest.raises(ModelError, match=r"Received: '.*nowhere\.tflite', which does not exist"):
        open_model(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match="which is a folder"):
        open_model(tmp_path)
    with pytest.raises(ModelError, match="which is of another kind"):
        open_model(keras_file)
    noise = tmp_path / "noise.tflite"
    noise.write_bytes(b"\x20\x00\x00\x00TFL3" + np.random.default_rng(0).bytes(5000))
    with pytest.raises(ModelError, match="is damaged or truncated"):
        open_model(noise)


def test_arguments(files):
    path = files["int8"].path
    with pytest.raises(ModelError, match=r"`threads`. Expected at least 1. Received: threads=0"):
        open_model(path, threads=0)
    with pytest.raises(ModelError, match=r"Received: delegate='xnnpak'. Did you mean 'xnnpack'\?"):
        open_model(path, delegate="xnnpak")
    run = Runner(path)
    for images in (np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 1)), np.zeros((0, 8, 8, 1))):
        with pytest.raises(ModelError, match=r"Expected images of shape \(n, 8, 8, 1\)"):
            run(images)
    with pytest.raises(ModelError, match="Expected images of numbers"):
        run(np.full((1, 8, 8, 1), "x"))
