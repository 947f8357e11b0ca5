"""Attention-based fusion: a student's map and what its deeper layers know, weighed at each position."""

from typing import Any

import keras
from keras import ops

from distiller.objectives.adapters import BatchNorm, convolution


def stretch(maps, size):
    """Maps of `size` along each axis of positions, each position repeating its nearest neighbour."""
    for axis, want in enumerate(size, start=1):
        have = maps.shape[axis]
        if have != want:
            maps = ops.take(maps, [place * have // want for place in range(want)], axis=axis)
    return maps


class Fusion(keras.layers.Layer):
    """Attention-based fusion of one of the student's maps with what the deeper layers left."""

    def __init__(self, fused: int, channels: int, *, deepest: bool, **kwargs: Any):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.enter = keras.layers.Dense(fused, use_bias=False, dtype=policy)
        self.enter_norm = BatchNorm(dtype=policy)
        self.attend = None if deepest else keras.layers.Dense(2, activation="sigmoid", dtype=policy)
        self.fused, self.channels = fused, channels

    def build(self, input_shape):
        """Make the weights."""
        self.leave = convolution(input_shape, self.channels, dtype=self.dtype_policy)
        self.leave_norm = BatchNorm(dtype=self.dtype_policy)
        fused = (*input_shape[:-1], self.fused)
        self.enter.build(input_shape)
        self.enter_norm.build(fused)
        if self.attend is not None:
            self.attend.build((*input_shape[:-1], 2 * self.fused))
        self.leave.build(fused)
        self.leave_norm.build((*input_shape[:-1], self.channels))

    def call(self, maps, deeper, size):
        """The map for the teacher, of `size`, and what is left for the next fusion."""
        maps = self.enter_norm(self.enter(maps))
        if self.attend is not None:
            deeper = stretch(deeper, maps.shape[1:-1])
            attention = self.attend(ops.concatenate([maps, deeper], axis=-1))
            maps = maps * attention[..., :1] + deeper * attention[..., 1:]
        maps = stretch(maps, size)
        return self.leave_norm(self.leave(maps)), maps
