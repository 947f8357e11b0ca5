"""Brings the student's features to the shape of the teacher's, so that the two can be compared."""

from typing import Any

import keras

from distiller.objectives.maps import same_size, standardize
from distiller.objectives.objective import Objective
from distiller.objectives.shapes import Shape, check_pair, check_pairs, convolution_words, describe


class FeatureObjective(Objective):
    """An objective on features; `adapter` says in plain words what brings the two networks' shapes together."""

    compares = "features"
    adapter = "none"


class AdaptedObjective(FeatureObjective):
    """An objective on one layer of each network, whose channels and sizes may differ.

    `build` makes the adapter: a linear map of the student's channels to the teacher's, which is a 1×1 convolution on
    feature maps. It is there where the numbers of channels differ, or always where the class says so. `adapt` averages
    the larger map down to the smaller and applies it. The adapter is trained with the student and not exported.

    Class attributes: `always`; `bias` of the linear map; `batch_norm` if batch normalization follows it.
    """

    always = False
    bias = True
    batch_norm = False

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the adapter that the shapes ask for.

        Raises:
            InputError: the shapes are not those of two maps or two vectors.
        """
        teacher, student = check_pair(teacher_shape, student_shape)
        linear = self.always or teacher[-1] != student[-1]
        layer = linear_words(student, batch_norm=self.batch_norm) if linear else ""
        self.adapter = describe(teacher, student, layer=layer)
        self.connector = self.connect(student, teacher[-1]) if linear else []

    def connect(self, shape: Shape, channels: int | None) -> list[keras.layers.Layer]:
        """The built layers that take features of `shape` to `channels`."""
        # Not in the global precision: the objective computes in its own, float32.
        layers = [keras.layers.Dense(channels, use_bias=self.bias, dtype=self.dtype_policy)]
        layers[0].build(shape)
        if self.batch_norm:
            layers.append(BatchNorm(dtype=self.dtype_policy))
            layers[1].build((*shape[:-1], channels))
        return layers

    def adapt(self, teacher, student):
        """Teacher and student in one shape, float32; no gradient flows to the teacher."""
        teacher, student = same_size(teacher, student)
        for layer in self.connector:
            student = layer(student)
        return teacher, student


class AdaptedLayersObjective(AdaptedObjective):
    """An objective on a list of layers of each network, whose channels may differ pair by pair, on maps of any size.

    Class attributes: `expected` says in words how many layers there must be, from `least` to `most`.
    """

    expected = "a list of layers"
    least = 2
    most: float = float("inf")

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make a linear map for each pair of layers whose channels differ.

        Raises:
            InputError: the shapes are not those of so many maps, the same number of both networks.
        """
        pairs = check_pairs(teacher_shape, student_shape, expected=self.expected, least=self.least, most=self.most)
        self.connectors = [self.connect(s, t[-1]) if s[-1] != t[-1] else [] for t, s in pairs]
        words = [
            f"layer {number}: {describe(t, s, layer=linear_words(s), resized=False)}"
            for number, (t, s) in enumerate(pairs, start=1)
            if s[-1] != t[-1]
        ]
        self.adapter = "; ".join(words) or "none"

    def adapt(self, teacher, student):
        """Two lists of maps with the same channels."""
        adapted = []
        for maps, layers in zip(student, self.connectors, strict=True):
            for layer in layers:
                maps = layer(maps)
            adapted.append(maps)
        return teacher, adapted


class BatchNorm(keras.layers.Layer):
    """Batch normalization by the batch's own statistics, with a learned scale and offset a channel."""

    def build(self, input_shape):
        """Make scale and offset."""
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")

    def call(self, features):
        """Features of the same shape."""
        return standardize(features) * self.scale + self.offset


def convolution(shape: Shape, channels: int | None, **options: Any) -> keras.layers.Layer:
    """A convolution of 3 along each axis of positions of maps of `shape`, without a bias, of the same size."""
    kinds = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D, 5: keras.layers.Conv3D}
    return kinds[len(shape)](channels, 3, padding="same", data_format="channels_last", use_bias=False, **options)


def linear_words(shape: Shape, *, batch_norm: bool = False) -> str:
    """The name of a linear map of channels on features of `shape`."""
    name = convolution_words(1, shape) if len(shape) > 2 else "linear layer"
    return f"{name} with batch normalization" if batch_norm else name
