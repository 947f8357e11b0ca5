"""One training step a backend; everything else of the Distiller is shared."""

import keras

from distiller.errors import InputError

__all__ = ["step_class"]


def step_class() -> type:
    """The mixin with `train_step` for the current Keras backend.

    Raises:
        InputError: there is none for this backend.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from distiller.trainer.steps.tensorflow import TensorFlowStep

        return TensorFlowStep
    if backend == "jax":
        from distiller.trainer.steps.jax import JaxStep

        return JaxStep
    raise InputError(f"Expected the Keras backend to be 'tensorflow' or 'jax'. Received: {backend!r}")
