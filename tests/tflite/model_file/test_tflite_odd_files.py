"""Whole files of other tools: fixed batches, variables, weights in blocks, sparse or shared, no list of buffers."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from support.hostile_files import sum_of_scalars
from support.odd_files import changed, converted, in_blocks, sparse, weights_of

import tflite
from tflite import ModelError
from tflite.model_file.interpreter import Runner
from tflite.parity.file_side import Steps

Op = schema.BuiltinOperator
WEIGHTS = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """One matrix of 64×64 weights."""
    return converted(lambda x: x @ WEIGHTS, 1, 64, path=tmp_path_factory.mktemp("dense") / "a.tflite")


@pytest.fixture(scope="module")
def of_four(tmp_path_factory):
    """A file for four images alone: their number is in a constant of the graph."""
    path = tmp_path_factory.mktemp("four") / "a.tflite"
    return converted(lambda x: tf.reshape(tf.nn.relu(x), (4, 16)) @ WEIGHTS[:16, :3], 4, 4, 4, 1, path=path)


def test_a_file_for_four_images_alone_takes_any_number(of_four):
    images = np.random.default_rng(1).normal(size=(10, 4, 4, 1)).astype("float32")
    expected = np.maximum(images, 0).reshape(10, 16) @ WEIGHTS[:16, :3]
    for count in (10, 4, 1):
        np.testing.assert_allclose(Runner(of_four)(images[:count]), expected[:count], rtol=1e-4, atol=1e-5)
    tflite.check(of_four, use="run")
    labels = expected.argmax(axis=1)
    assert tflite.evaluate(of_four, (images, np.where(np.arange(10) < 7, labels, (labels + 1) % 3))).correct == 7
    found = Steps(of_four)
    np.testing.assert_allclose(found.run(images)[-1].reshape(10, 3), expected, rtol=1e-4, atol=1e-5)


def test_one_row_for_four_images_is_no_classifier(tmp_path):
    path = converted(lambda x: tf.reshape(x, (4, 16))[:1], 4, 4, 4, 1, path=tmp_path / "a.tflite")
    with pytest.raises(ModelError, match=r"a row of outputs for each of 4 images\. Received: .*outputs \(1, 16\)"):
        Runner(path)


class Counting(tf.Module):
    """Adds how often it was run."""

    def __init__(self):
        super().__init__()
        self.runs = tf.Variable(0.0)

    def __call__(self, x):
        self.runs.assign_add(1.0)
        return x + self.runs


class Smoothing(tf.Module):
    """Half of the answer before, and the next one: its variable has the size of one answer."""

    def __init__(self):
        super().__init__()
        self.kept = tf.Variable(np.zeros((1, 3), "float32"))

    def __call__(self, x):
        self.kept.assign(0.5 * self.kept + x @ WEIGHTS[:4, :3])
        return self.kept.read_value()


@pytest.mark.parametrize("kind", [Counting, Smoothing])
def test_a_variable_is_set_back_for_every_image(tmp_path, kind):
    module = kind()
    path = converted(module, 1, 4, path=tmp_path / "a.tflite", module=module)
    tflite.check(path, use="run")  # a batch would write outside of the variable
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    expected = rows + 1 if kind is Counting else rows @ WEIGHTS[:4, :3]
    run = Runner(path)
    for _ in range(2):
        np.testing.assert_allclose(run(rows), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(Steps(path).run(rows)[-1][:, 0], expected, rtol=1e-5, atol=1e-6)
    found = tflite.inspect(path)
    assert "ASSIGN_VARIABLE" in [operator.name for operator in found.operators]
    assert all(partition for partition in found.partitions)


def test_variables_that_nothing_sets_are_refused(tmp_path):
    """The runtime would answer with what is in its memory."""
    module = Counting()
    path = converted(module, 1, 4, path=tmp_path / "whole.tflite", module=module)

    def forget(model):
        code = next(i for i, code in enumerate(model.operatorCodes) if code.builtinCode == Op.ASSIGN_VARIABLE)
        for graph in model.subgraphs:
            graph.operators = [operator for operator in graph.operators if operator.opcodeIndex != code]

    path = changed(path, tmp_path / "a.tflite", forget)
    with pytest.raises(ModelError, match="reads variables which nothing in it sets"):
        Runner(path)


def test_weights_in_blocks_are_counted_and_their_scales_are_not(dense, tmp_path):
    path = changed(dense, tmp_path / "a.tflite", in_blocks)
    found = tflite.inspect(path)
    assert found.parameters == 64 * 64
    assert found.weight_bytes_by_type == {"int4": 64 * 64 // 2}
    assert found.weight_bytes_by_operator == {"FULLY_CONNECTED": 64 * 64 // 2}
    assert found.operators[0].inputs[1].block_size == 32
    tflite.check(path, use="run")


def test_sparse_weights_belong_to_the_operator_that_computes_with_them(dense, tmp_path):
    kept = []
    path = changed(dense, tmp_path / "a.tflite", lambda model: kept.append(sparse(model, 0.1)))
    found = tflite.inspect(path)
    assert [operator.name for operator in found.operators] == ["DENSIFY", "FULLY_CONNECTED"]
    assert found.parameters == 64 * 64
    assert found.weight_bytes_by_operator == {"FULLY_CONNECTED": 4 * kept[0]}
    rows = np.random.default_rng(1).normal(size=(3, 64)).astype("float32")
    mask = np.random.default_rng(0).random((64, 64)) < 0.1
    expected = rows @ np.where(mask, WEIGHTS.T, 0).T
    np.testing.assert_allclose(Runner(path)(rows), expected, rtol=1e-4, atol=1e-5)


def test_shared_weights_are_counted_once(tmp_path):
    first, second = WEIGHTS, WEIGHTS + np.float32(1)
    path = converted(lambda x: tf.tanh(x @ first) @ second, 1, 64, path=tmp_path / "a.tflite")
    assert tflite.inspect(path).weight_bytes_by_operator == {"FULLY_CONNECTED": 2 * 64 * 64 * 4}

    def share(model):
        weights_of(model, 1).buffer = weights_of(model).buffer

    found = tflite.inspect(changed(path, tmp_path / "shared.tflite", share))
    assert found.parameters == 64 * 64
    assert found.weight_bytes_by_type == {"float32": 64 * 64 * 4}
    assert found.weight_bytes_by_operator == {"FULLY_CONNECTED": 64 * 64 * 4}
    assert [cost.weight_bytes for cost in found.costs] == [64 * 64 * 4, 0, 0]


def test_a_file_without_a_list_of_buffers(tmp_path):
    whole = tmp_path / "a.tflite"
    whole.write_bytes(sum_of_scalars())

    def empty(model):
        assert isinstance(model, schema.ModelT)
        model.buffers = []

    path = changed(whole, tmp_path / "none.tflite", empty)
    found = tflite.inspect(path)
    assert (found.parameters, found.metadata) == (0, None)
    assert [operator.name for operator in found.operators] == ["ADD"]
    assert tflite.profile(path, runs=2, warmup_runs=1).operators is not None
