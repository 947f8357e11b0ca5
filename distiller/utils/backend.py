"""Load the backend without its chatter."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_backend() -> None:
    """Import TensorFlow and Keras; what their C++ side logs while it starts is shown only if that fails."""
    load_keras()
    with _held_back_stderr():
        import tensorflow

    # Every student is a new model, and TensorFlow takes the tracing of each for a mistake.
    tensorflow.get_logger().setLevel("ERROR")


def load_keras() -> None:
    """Import Keras with the backend that it is configured for, as quietly."""
    one_operation_at_a_time()
    with _held_back_stderr():
        import keras  # noqa: F401


def one_operation_at_a_time() -> None:
    """Keep TensorFlow from running two operations at once; call it before TensorFlow is imported.

    oneDNN's bfloat16 gradient of a convolution waits at a barrier for all threads of the pool. Two of them at once, on
    a machine with few cores, wait for each other for ever (tensorflow 2.21). One operation still uses every core.
    """
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Keep what is written to file descriptor 2; write it out if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.dup2(write, 2)
    try:
        yield
    except BaseException:
        os.dup2(kept, 2)
        os.set_blocking(read, False)
        os.write(2, os.read(read, 65536))
        raise
    finally:
        os.dup2(kept, 2)
        for descriptor in (kept, read, write):
            os.close(descriptor)
