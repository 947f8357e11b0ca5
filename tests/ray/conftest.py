"""A Ray cluster of two machines on loopback, a teacher that notes what it is asked, and calls of the command line."""

import os
import subprocess
import sys

import pytest
from support.ray import ALONE, NOWHERE, Teacher

from distiller import data


@pytest.fixture
def teacher(tmp_path):
    return Teacher(tmp_path)


@pytest.fixture(scope="session")
def digits():
    return data.load("digits").train


@pytest.fixture
def start():
    """Start `distiller` with these arguments; what still runs at the end of the test is killed."""
    begun = []

    def call(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "distiller", *map(str, arguments)],
            env={**os.environ, **ALONE},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield call
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def first_machine():
    """One that starts no work and knows of the others."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**ALONE, **NOWHERE}.items():
            patched.setenv(name, value)
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        found.machines = []
        yield found
        found.shutdown()


@pytest.fixture
def cluster(first_machine):
    """Two machines of one core each, beside the first."""
    while len(first_machine.machines) < 2:
        first_machine.machines.append(first_machine.add_node(num_cpus=1))
    return first_machine
