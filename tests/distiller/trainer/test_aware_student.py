"""A quantization-aware student with an auxiliary head: its features are behind the rounding of its logits."""

import keras
import numpy as np
import pytest
from support.small import batch, distiller, network

import tflite
from distiller import bridges
from distiller.errors import InputError
from distiller.networks.feature_extraction import penultimate


@pytest.fixture(params=[{}, {"exclude": ["logits"]}, {"scheme": "int16x8"}])
def aware(request):
    return tflite.quantize_aware(network(), **request.param)


def test_its_features_are_what_its_last_dense_layer_sees(aware):
    assert penultimate(aware) is aware.get_layer("logits").input


def test_it_learns_with_an_auxiliary_head(aware):
    model = distiller(aware, network(7, seed=2), bridge=bridges.AuxiliaryHead(), weights={"labels": 0.0})
    (head,), (x, y) = model.heads.values(), batch()
    first = aware.trainable_variables[0]
    before = head.get_weights()[0].copy(), np.asarray(first).copy()
    found = model.train_on_batch(x, y, return_dict=True)
    assert found["soft"] > 0
    assert not np.allclose(before[0], head.get_weights()[0])
    assert not np.allclose(before[1], np.asarray(first))


def test_without_a_dense_layer_the_message_names_the_last_that_computes():
    inputs = keras.Input((5, 5, 1))
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(keras.layers.Conv2D(4, 3)(inputs))
    with pytest.raises(InputError, match=r"last layer is Dense .* GlobalAveragePooling2D 'pooled'"):
        penultimate(tflite.quantize_aware(keras.Model(inputs, pooled)))
