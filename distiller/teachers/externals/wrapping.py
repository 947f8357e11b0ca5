"""`teachers.external`: a teacher of another framework as a network of Keras."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.errors import InputError
from distiller.objectives.probabilities import are_probabilities
from distiller.teachers.externals.preparation import Preparation
from distiller.teachers.externals.sources import Source, as_outputs, open_source

_SMALLEST = 1e-30
# Images of noise on which a teacher is tried: its shapes, and whether it answers probabilities.
_TRIED = 4


def external(
    source: Any,
    input_shape: tuple[int, int, int],
    *,
    image_size: int | tuple[int, int] | None = None,
    preprocessing: str | Mapping[str, Any] = "none",
    layout: str | None = None,
    features: Sequence[str] = (),
    probabilities: bool = False,
    identity: str | None = None,
) -> keras.Model:
    """A teacher that is no Keras network, as one: raw pixels (batch, h, w, c) in, logits (batch, classes) out.

    It has no weights that Keras knows and no gradient, which no distillation needs of a teacher. It may teach a
    `Distiller` as it is; with `teachers.Cache` its outputs are computed once, for the very views that students see.

    Args:
        source: path of an `.onnx` file (which needs onnxruntime) or a `.tflite` file; the name of a function,
            `file.py:function`; or a function, such as one around a PyTorch module in evaluation mode. A function takes
            a float32 NumPy array of images as `preprocessing` and `layout` make them, and returns logits (n, classes),
            or a dict with "logits" and the features.
        input_shape: height, width and channels of the student's images.
        image_size: height and width to which the images are resized first (bilinear, antialiased), one number for
            both; by default what the file says, else the student's.
        preprocessing: "none" for raw pixels 0 to 255, with which a TFLite file scales them as its metadata says;
            "unit" for [0, 1]; "tf" for [−1, 1]; "torch" for ImageNet's means and deviations; or {mean, std} of raw
            pixels, one number or one a channel.
        layout: "nhwc" or "nchw"; by default what an ONNX file says, else "nhwc".
        features: names of outputs beside the logits, of an ONNX file or in the dict; objectives name them as
            `teacher_layer`.
        probabilities: True if the source answers probabilities, of which the logarithm is taken.
        identity: text that stands for a function and its weights, for caches: another text is another teacher. Only a
            function that is to be cached needs one; a file has its SHA-256.

    Returns:
        The network, under the name of the file or function. It is no part of a saved `Distiller`.

    Raises:
        InputError: no such file, function or output; outputs of another form; probabilities that were not announced.
        WorkError: onnxruntime is not installed.

    >>> import numpy as np
    >>> from distiller import teachers
    >>> def brightness(images):
    ...     mean = images.mean(axis=(1, 2, 3))
    ...     return np.stack([mean, -mean], axis=-1)
    >>> teacher = teachers.external(brightness, (8, 8, 3), preprocessing="unit", identity="brightness 1")
    >>> teacher.predict(np.full((1, 8, 8, 3), 255.0), verbose=0)
    array([[ 1., -1.]], dtype=float32)
    """
    opened = open_source(source, tuple(features))
    size = opened.image_size if image_size is None else image_size
    height, width = (size, size) if isinstance(size, int) else size or input_shape[:2]
    layer = ExternalOutputs(
        opened,
        (height, width),
        Preparation.named(preprocessing, layout or opened.layout or "nhwc", input_shape[-1]),
        features=tuple(features),
        probabilities=probabilities,
        identity=opened.identity or identity,
        name="outputs",
    )
    layer.try_on(tuple(input_shape))
    pixels = keras.Input(input_shape, name="pixels")
    first, *others = layer(pixels)
    named = [
        keras.layers.Identity(dtype="float32", name=name)(output) for name, output in zip(features, others, strict=True)
    ]
    return keras.Model(pixels, First(name="logits")([first, *named]), name=_plain(opened.name))


def _plain(name: str) -> str:
    """A name that Keras takes for a network."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name) or "external"


class First(keras.layers.Layer):
    """The first of its inputs: the others are features that are part of a network without being its output."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, inputs: Any) -> Any:
        """The logits."""
        return inputs[0] + 0.0


class ExternalOutputs(keras.layers.Layer):
    """Logits and features of a teacher outside of Keras, a list of float32 (batch, …).

    Args:
        source: the opened teacher.
        image_size: height and width to which images are resized first.
        preparation: of the pixels.
        features: names of the outputs beside the logits.
        probabilities: whether the logits are to be made of probabilities.
        identity: text that stands for the teacher, or None of a function without one.
    """

    def __init__(
        self,
        source: Source,
        image_size: tuple[int, int],
        preparation: Preparation,
        *,
        features: tuple[str, ...],
        probabilities: bool,
        identity: str | None,
        **kwargs: Any,
    ):
        super().__init__(trainable=False, **{"dtype": "float32", **kwargs})
        self._source, self._size, self._prepare = source, image_size, preparation
        self._features, self._probabilities, self._identity = features, probabilities, identity
        self._shapes: list[tuple[int, ...]] = []

    def try_on(self, input_shape: tuple[int, ...]) -> None:
        """Run the teacher on images of noise, for the shapes of its outputs.

        Raises:
            InputError: its outputs are not of the form that is asked for.
        """
        noise = np.random.default_rng(0).integers(0, 256, (_TRIED, *input_shape)).astype("float32")
        found = self.outputs_of(ops.convert_to_numpy(self._resized(ops.convert_to_tensor(noise))))
        self._shapes = [array.shape[1:] for array in found]

    def outputs_of(self, images: np.ndarray) -> list[np.ndarray]:
        """Logits and features of raw pixels (n, h, w, c) in the teacher's size."""
        if self._source.takes_pixels and self._prepare.is_raw:
            prepared = np.clip(np.rint(images), 0, 255).astype("uint8")
        else:
            prepared = self._prepare(images)
        found = as_outputs(self._source.answer(prepared), self._features, len(images), self._source.name)
        if self._probabilities:
            if (found[0] < 0).any() or (found[0] > 1 + 1e-3).any():
                raise InputError(
                    f"Expected probabilities of the teacher {self._source.name!r}, as it was announced. Received: "
                    f"numbers from {found[0].min():.4g} to {found[0].max():.4g}"
                )
            found[0] = np.log(np.maximum(found[0], _SMALLEST))
        elif are_probabilities(found[0]):
            raise InputError(
                f"The teacher {self._source.name!r} answers probabilities: rows that are at least 0 and sum to 1. Let "
                "it return what is before its softmax, or say probabilities=True, in a recipe probabilities: true"
            )
        return found

    def call(self, images: Any) -> Any:
        """The outputs of raw pixels (batch, h, w, c)."""
        resized = self._resized(ops.cast(images, "float32"))
        if keras.backend.backend() == "jax":
            import jax

            made = [jax.ShapeDtypeStruct((resized.shape[0], *shape), "float32") for shape in self._shapes]
            return jax.pure_callback(lambda x: self.outputs_of(np.asarray(x)), made, resized)
        import tensorflow as tf

        found = tf.numpy_function(self.outputs_of, [resized], ["float32"] * len(self._shapes))
        found = [found] if tf.is_tensor(found) else list(found)  # one output alone is no list where it runs at once
        for tensor, shape in zip(found, self._shapes, strict=True):
            tensor.set_shape((images.shape[0], *shape))
        return found

    def compute_output_spec(self, images: Any) -> Any:
        """Called by Keras."""
        return [keras.KerasTensor((images.shape[0], *shape), "float32") for shape in self._shapes]

    def get_config(self) -> dict[str, Any]:
        """Everything that the outputs depend on, for the key of a cache."""
        if self._identity is None:
            raise NotImplementedError(
                "a function has no digest, so that another could be taken for it. Name it: "
                "teachers.external(…, identity='resnet50, run 3')"
            )
        return {
            **super().get_config(),
            "identity": self._identity,
            "image_size": list(self._size),
            "preparation": [list(self._prepare.mean), list(self._prepare.std), self._prepare.layout],
            "features": list(self._features),
            "probabilities": self._probabilities,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ExternalOutputs":
        """Refuse: a file or function of another framework is not in a file of Keras.

        Raises:
            InputError: always.
        """
        raise InputError(
            "An external teacher is no part of a saved model. Make it again with teachers.external, and give it to a "
            "new Distiller beside the saved student"
        )

    def _resized(self, images: Any) -> Any:
        if tuple(images.shape[1:3]) == self._size:
            return images
        return ops.image.resize(images, self._size, "bilinear", antialias=True, data_format="channels_last")
