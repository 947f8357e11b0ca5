"""A file beside the documented lists of accelerators: what they leave to the CPU, and why."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from support.odd_files import converted

import tflite
from tflite.inspection import gpu_list, micro_list, nnapi_list, xnnpack_list
from tflite.model_file.operators import Operator, Tensor


def fits(path):
    """Delegate → the operators that it leaves, with the reason."""
    return {one.delegate: {left.name: left.why for left in one.left} for one in tflite.inspect(path).delegates}


def operator(name, *dtypes, out="float32", shape=(1, 4, 4, 8), scales=((), ())):
    """An operator on tensors of a shape; a type in parentheses is that of a constant."""
    tensors = [
        Tensor(i, f"t{i}", dtype.strip("()"), shape, scales[0], (0,) * len(scales[0]), "(" in dtype, 1, False)
        for i, dtype in enumerate(dtypes)
    ]
    made = Tensor(9, "made", out, shape, scales[1], (0,) * len(scales[1]), False, 1, False)
    return Operator(0, name, tuple(tensors), (made,))


def test_names_in_the_lists_are_operators():
    known = {name for name in vars(schema.BuiltinOperator) if name.isupper()}
    for names in (
        gpu_list.OPERATORS,
        nnapi_list.OPERATORS,
        xnnpack_list.FLOAT,
        xnnpack_list.QUANTIZED,
        micro_list.OPERATORS,
    ):
        assert set(names) <= known


def test_the_list_of_the_documentation_is_in_that_of_the_source():
    """The page "GPU delegates for LiteRT" lists these, for 16-bit and 32-bit floating-point numbers."""
    documented = """
        ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGISTIC LSTM MAX_POOL_2D
        MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB TRANSPOSE_CONV
    """
    assert set(documented.split()) < gpu_list.OPERATORS


@pytest.mark.parametrize("scheme", ["float32", "float16", "int8"])
def test_a_small_network_is_in_every_list(files, scheme):
    delegates = {one.delegate: one for one in tflite.inspect(files[scheme].path).delegates}
    assert list(delegates) == ["gpu", "nnapi", "xnnpack"]
    assert delegates["gpu"].left == ()
    assert delegates["gpu"].taken == delegates["gpu"].operators == len(tflite.inspect(files[scheme].path).operators)
    assert all(one.source.startswith("https://github.com/") for one in delegates.values())
    integer = any("8-bit integers are computed as floating-point" in note for note in delegates["gpu"].notes)
    assert integer == (scheme == "int8")


def test_what_is_left_and_why(tmp_path):
    """The places of the largest values have the type int64, and NNAPI has no running sum."""

    def function(x):
        summed = tf.cumsum(x, axis=1)
        return tf.cast(tf.argmax(tf.nn.relu(summed) @ np.eye(4, dtype="float32"), axis=2), "float32")

    path = converted(function, 1, 3, 4, path=tmp_path / "a.tflite")
    found = fits(path)
    assert found["nnapi"]["CUMSUM"] == "not in the list of operators"
    assert "CUMSUM" not in found["gpu"]
    assert found["gpu"]["ARG_MAX"] == "not in the list of operators"
    assert found["gpu"]["CAST"] == found["nnapi"]["CAST"] == "computes with int64, which is not in its list of types"
    assert found["xnnpack"]["CUMSUM"] == "not in the documented list of operators"
    [gpu] = [one for one in tflite.inspect(path).delegates if one.delegate == "gpu"]
    assert gpu.reasons()["not in the list of operators"] == ("ARG_MAX",)
    assert gpu.taken == gpu.operators - 2
    assert "runs the largest alone" in gpu.notes[0]


def test_a_size_that_is_known_at_run_time_alone(tmp_path):
    path = converted(lambda x: tf.reduce_sum(tf.where(x > 0)), 1, 4, path=tmp_path / "a.tflite")
    notes = {one.delegate: one.notes for one in tflite.inspect(path).delegates}
    assert "WHERE have outputs whose size is known at run time alone" in notes["gpu"][0]
    assert notes["nnapi"][0] == notes["gpu"][0]


@pytest.mark.parametrize(
    ("found", "gpu", "nnapi"),
    [
        (operator("ADD", "float32", "(int64)"), None, None),  # the type of a constant does not count
        (operator("ADD", "int16", "int16", out="int16"), "computes with int16", "computes with int16"),
        (operator("ADD", "int32", "int32", out="int32"), "computes with int32", None),
        (operator("ADD", "float32", "float32", shape=(1, 2, 2, 2, 2)), "more than 4", "more than 4"),
        (operator("GREATER", "float32", "float32", out="bool"), None, None),
        (operator("MAXIMUM", "float32", "float32", out="bool"), "computes with bool", None),
        (operator("SELECT_V2", "bool", "float32", "float32"), None, "not in the list"),
        (operator("ELU", "int8", out="int8"), None, "for floating-point numbers alone, here int8"),
        (operator("MEAN", "int8", "(int32)", out="int8", scales=((0.5,), (0.5,))), None, None),
        (
            operator("MEAN", "int8", "(int32)", out="int8", scales=((0.5,), (0.25,))),
            None,
            "with the scale and zero point of the input",
        ),
        (operator("TRANSPOSE_CONV", "(int32)", "(float32)", "float32"), None, None),
    ],
)
def test_types_and_ranks(found, gpu, nnapi):
    for received, expected in ((gpu_list.why(found), gpu), (nnapi_list.why(found), nnapi)):
        assert received is None if expected is None else expected in received


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (operator("SOFTMAX", "int8", out="int8"), "in the documented list for floating-point numbers alone"),
        (operator("CONV_2D", "int16", "(int8)", out="int16"), "computes with int16"),
        (operator("QUANTIZE", "float32", out="float32"), "for 8-bit integers alone"),
        (operator("CONV_2D", "float32", "(float32)"), "its parameters or shapes are the reason"),
    ],
)
def test_reasons_of_xnnpack(found, expected):
    assert expected in xnnpack_list.why(found)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (operator("CONV_2D", "float32", "(float32)", "(float32)"), 27),
        (operator("CONV_2D", "uint8", "(uint8)", "(int32)", out="uint8"), 27),
        (operator("CONV_2D", "int8", "(int8)", "(int32)", out="int8"), 29),
        (operator("MEAN", "uint8", "(int32)", out="uint8"), 29),
        (operator("QUANTIZE", "float32", out="int8"), 30),
        (operator("ADD", "int32", "int32", out="int32"), 30),
    ],
)
def test_versions_of_android(found, level):
    """Signed 8-bit integers are later than the operators, and converted for phones before Android 11."""
    assert nnapi_list.why(found) is None
    assert nnapi_list.since(found) == level
    assert nnapi_list.why(operator("CONV_2D", "float32", "(float32)")) == "in the list with a bias, here without"
