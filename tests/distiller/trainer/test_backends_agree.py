"""TensorFlow and JAX give the same losses and gradients, objective by objective."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from references import features, relations
from support.gradients import value_and_gradients

from distiller import objectives

BATCH, CLASSES = 6, 5
EXAMPLES = {**features.EXAMPLES, **relations.EXAMPLES}


def found(name):
    """Losses and gradients of an objective on the current backend."""
    rng = np.random.default_rng(11)
    if name in EXAMPLES:
        pair = EXAMPLES[name](rng, BATCH)
    else:
        pair = tuple(rng.normal(scale=3.0, size=(BATCH, CLASSES)) for _ in range(2))
    teacher, student = keras.tree.map_structure(lambda array: array.astype("float32"), tuple(pair))
    return value_and_gradients(objectives.get(name), teacher, student, np.arange(BATCH) % CLASSES)


ON_JAX = """
import sys
import numpy as np
from distiller import objectives
from test_backends_agree import found
arrays = {f"{name}:{place}": part for name in objectives.OBJECTIVES for place, part in enumerate(found(name))}
np.savez(sys.argv[1], **arrays)
"""


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    path = tmp_path_factory.mktemp("jax") / "found.npz"
    here = os.path.dirname(__file__)
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Most of its time is that of compiling.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "PYTHONPATH": os.pathsep.join([here, os.path.dirname(here), *sys.path]),
    }
    call = subprocess.run([sys.executable, "-c", ON_JAX, path], env=environment, capture_output=True, text=True)
    assert call.returncode == 0, call.stderr[-2000:]
    return np.load(path)


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_losses_and_gradients_are_the_same(on_jax, name):
    for place, part in enumerate(found(name)):
        other = on_jax[f"{name}:{place}"]
        assert other.shape == part.shape
        np.testing.assert_allclose(part, other, rtol=1e-4, atol=1e-4 * max(np.abs(other).max(), 1e-3))
