"""Two processes that share a training through `keras.distribution` on JAX have the losses of one."""

import json
import os
import socket
import subprocess
import sys

import numpy as np

PROCESS = """
import json, sys
count, place, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
import jax
import keras
import numpy as np
if count > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(job_addresses=address, num_processes=count, process_id=place)
    devices = keras.distribution.list_devices()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False))
assert jax.process_count() == count
from support import small
images, labels = small.batch(32)
labels[::5] = -1  # unlabelled
part = 8 // count  # of a batch of eight, for each process
own = np.arange(32).reshape(4, count, part)[:, place].ravel()
distiller = small.distiller(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
history = distiller.fit(images[own], labels[own], batch_size=part, epochs=3, shuffle=False, verbose=0).history
print(json.dumps({name: [float(number) for number in numbers] for name, numbers in history.items()}))
"""


def losses(count):
    """The history of each of `count` processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
    }
    options = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", PROCESS, str(count)]
    calls = [subprocess.Popen([*command, str(place), address], **options) for place in range(count)]
    try:
        ended = [call.communicate(timeout=100) for call in calls]
    finally:
        for call in calls:
            call.kill()
    assert [call.returncode for call in calls] == [0] * count, ended[0][1][-2000:]
    return [json.loads(output.splitlines()[-1]) for output, _ in ended]


def test_two_processes_have_the_losses_of_one():
    [alone] = losses(1)
    assert set(alone) >= {"loss", "labels", "soft"}
    assert alone["loss"][-1] < alone["loss"][0]
    for together in losses(2):
        for name, numbers in alone.items():
            np.testing.assert_allclose(together[name], numbers, rtol=1e-4, err_msg=name)
