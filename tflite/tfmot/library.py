"""tensorflow-model-optimization and the Keras 2 it works on, imported without a trace in the rest of the process."""

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tflite.errors import ModelError
from tflite.utils.quiet import quiet

_LEGACY = "TF_USE_LEGACY_KERAS"


class Library(NamedTuple):
    """The two packages."""

    keras2: Any
    tfmot: Any


@functools.cache
def library() -> Library:
    """Import both packages once.

    The import sets an environment variable that makes whatever resolves `tf.keras` later get Keras 2. So `tf.keras` is
    resolved before it, and the variable is put back after it.

    Raises:
        ModelError: the packages are not installed, or Keras runs on another backend than TensorFlow.
    """
    with quiet():  # a first import of the backend is talkative
        import keras

        if keras.backend.backend() != "tensorflow":
            raise ModelError(
                "Expected the TensorFlow backend of Keras for tensorflow-model-optimization. Received: "
                f"{keras.backend.backend()!r}. Run in a process with KERAS_BACKEND=tensorflow"
            )
        import tensorflow as tf

        assert tf.keras.__version__  # resolves the lazy module
        with _environment_kept(), warnings.catch_warnings():
            # It compares versions with distutils.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                import tensorflow_model_optimization as tfmot
                import tf_keras as keras2
            except ImportError as error:
                raise ModelError(
                    "Expected tensorflow-model-optimization and tf_keras, which engine='tfmot', pruning and "
                    f"clustering need. Received: {error}. Install them: pip install '.[tfmot]' in a checkout"
                ) from error
    return Library(keras2, tfmot)


@contextmanager
def _environment_kept() -> Iterator[None]:
    before = os.environ.get(_LEGACY)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
