"""A Ray cluster of two machines on loopback, a teacher that notes what it is asked, and calls of the command line."""

import os
import subprocess
import sys

import pytest
from support.ray import ALONE, Teacher

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


@pytest.fixture
def cluster(monkeypatch):
    """Two machines of one core each, beside one that starts no work."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    found.machines = [found.add_node(num_cpus=1) for _ in range(2)]
    yield found
    found.shutdown()
