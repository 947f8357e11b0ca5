"""Inputs that are text, alone and as a column beside numbers."""

import keras
import numpy as np
import pytest
from references import logits as reference

from distiller import Distiller, objectives

WORDS = np.array(["a red apple", "blue", "red red", "an apple a day"], dtype=object)
NUMBERS = np.array([[0.5], [-1.0], [2.0], [0.0]], "float32")
LABELS = np.array([0, 1, 2, -1])
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BACKEND = keras.backend.backend()


def network(seed, beside_numbers):
    keras.utils.set_random_seed(seed)
    vectorize = keras.layers.TextVectorization(output_mode="multi_hot", vocabulary=["red", "blue", "apple", "day"])
    inputs = [keras.Input((), dtype="string", name="text")]
    x = vectorize(inputs[0])
    if beside_numbers:
        inputs.append(keras.Input((1,), name="number"))
        x = keras.layers.Concatenate()([x, inputs[1]])
    outputs = keras.layers.Dense(3)(x)
    return keras.Model({one.name: one for one in inputs} if beside_numbers else inputs[0], outputs)


if BACKEND == "tensorflow":  # texts are no tensors of other backends

    @pytest.mark.parametrize("beside_numbers", [False, True])
    @pytest.mark.parametrize("form", ["arrays", "tensors", "tf.data"])
    def test_text(beside_numbers, form):
        import tensorflow as tf

        teacher, student = network(2, beside_numbers), network(1, beside_numbers)
        made = Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton(2.0)})
        made.compile(keras.optimizers.SGD(0.0), loss=SPARSE)
        words = WORDS if form == "arrays" else tf.constant(WORDS)
        x = {"text": words, "number": NUMBERS} if beside_numbers else words
        given = (x, LABELS) if form != "tf.data" else (tf.data.Dataset.from_tensors((x, LABELS)),)
        history = made.fit(*given, verbose=0, shuffle=False).history
        x = keras.tree.map_structure(tf.convert_to_tensor, x)
        answers = [np.asarray(one(x)) for one in (teacher, student)]
        assert history["soft"][0] == pytest.approx(reference.hinton(*answers, None, 2.0).mean(), rel=1e-4)
