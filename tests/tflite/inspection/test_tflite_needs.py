"""Needs of files that not every runtime meets, and the runtimes that open them."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from support.odd_files import changed, converted, in_blocks, sparse, weights_of

import tflite

WEIGHTS = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")
INTERPRETER, FLEX, BROWSER, MICRO = range(4)


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return converted(lambda x: x @ WEIGHTS, 1, 64, path=tmp_path_factory.mktemp("dense") / "a.tflite")


def needs(path):
    return {need.kind: need.what for need in tflite.inspect(path).needs}


def opens(path):
    return [runtime.opens for runtime in tflite.inspect(path).runtimes]


def custom(name):
    """Makes the operator of a file a custom one of that name."""

    def change(model):
        for code in model.operatorCodes:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = name

    return change


def test_a_plain_file_opens_everywhere(dense, files):
    assert needs(dense) == {}
    assert opens(dense) == [True] * 4
    integer = tflite.inspect(files["int8"].path)
    assert integer.runtimes[MICRO].opens
    assert [port.dtype for port in (*integer.inputs, *integer.outputs)] == ["uint8", "int8"]
    assert not integer.runtimes[BROWSER].opens
    assert integer.runtimes[BROWSER].why == "inputs and outputs are float32, int32 or uint8 there, here int8"


def test_operators_of_tensorflow_and_of_others(dense, tmp_path):
    flex = changed(dense, tmp_path / "flex.tflite", custom("FlexErf"))
    assert needs(flex) == {"flex": "1 FlexErf: operators of TensorFlow, which a runtime with the Flex delegate runs"}
    assert opens(flex) == [False, True, False, False]
    other = changed(dense, tmp_path / "other.tflite", custom("MyOwn"))
    assert needs(other) == {"custom": "1 MyOwn: custom operators, which the application registers"}
    assert opens(other) == [False, None, False, False]


def test_variables_keep_a_state(tmp_path):
    class Counting(tf.Module):
        def __init__(self):
            super().__init__()
            self.runs = tf.Variable(0.0)

        def __call__(self, x):
            self.runs.assign_add(1.0)
            return x + self.runs

    module = Counting()
    found = needs(converted(module, 1, 4, path=tmp_path / "a.tflite", module=module))
    assert "VAR_HANDLE" in found["variables"]
    assert "2 subgraphs" in found.get("subgraphs", "2 subgraphs")


def test_loops_are_subgraphs(tmp_path):
    def function(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0), (0, x))[1]

    found = needs(converted(function, 1, 4, path=tmp_path / "a.tflite"))
    assert found["subgraphs"] == "3 subgraphs, which 1 WHILE run"


def test_weights_of_other_kinds(dense, tmp_path, files):
    hole = changed(dense, tmp_path / "sparse.tflite", lambda model: sparse(model, 0.3))
    assert needs(hole)["sparse"] == "1 weights are stored sparse, and unpacked before the first run"
    assert opens(hole)[MICRO] is False
    assert needs(changed(dense, tmp_path / "blocks.tflite", in_blocks))["blocks"].startswith("1 weights have a scale")
    hybrid = tflite.inspect(files["dynamic"].path)
    assert [need.kind for need in hybrid.needs] == ["hybrid"]
    assert "integer weights beside floating-point activations" in hybrid.needs[0].what
    assert hybrid.runtimes[MICRO].opens is False
    assert "refuses the weights of" in hybrid.runtimes[MICRO].why


def test_numbers_in_another_file(dense, tmp_path):
    def change(model):
        weights = weights_of(model)
        weights.buffer, weights.externalBuffer = 0, 1
        group, held = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
        group.name, held.id, held.length = "weights.bin", 1, WEIGHTS.nbytes
        model.externalBufferGroups, model.externalBuffers = [group], [held]

    path = changed(dense, tmp_path / "external.tflite", change)
    assert needs(path)["external"] == "1 tensors keep their numbers in another file, which goes with this one"
    assert opens(path) == [False, False, None, False]
    interpreter = Interpreter(model_path=str(path))  # it opens the file and cannot run it
    interpreter.allocate_tensors()
    with pytest.raises(RuntimeError, match="lacks data"):
        interpreter.invoke()
