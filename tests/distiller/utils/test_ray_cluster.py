"""A cluster that is not there, and machines of different sizes, without starting any."""

import os
import socket
import sys
from types import SimpleNamespace

import pytest

from distiller.errors import InputError, WorkError
from distiller.utils import ray_cluster
from distiller.utils.ray_cluster import Home, outcome_of, result_of


@pytest.fixture
def machines(monkeypatch):
    """Let Ray be there with machines of these resources."""

    def make(*resources):
        nodes = [{"Alive": alive, "Resources": found} for alive, found in resources]
        ray = SimpleNamespace(nodes=lambda: nodes, data=SimpleNamespace())
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.data", ray.data)

    return make


def test_without_ray_one_sentence_says_how_to_install_it(monkeypatch, command, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    for call in (("run", "demo"), ("answers", "wide_cifar100", "--data", "digits")):
        code, output, errors = command(*call, "--out", tmp_path / "out", "--ray", "local")
        assert code == 2
        assert output == ""
        assert "--ray needs Ray, which is not installed. Install it: pip install 'ray[data]'" in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["somewhere", "somewhere:", ":6379", "somewhere:http"])
def test_of_an_impossible_address(machines, address):
    machines()
    with pytest.raises(InputError, match=r"Expected --ray local, auto or HOST:PORT. Received"):
        ray_cluster.check(address)


def test_where_nothing_listens(machines):
    machines()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"no Ray cluster at '{address}': .* refused. Start one with `ray start"):
            ray_cluster.check(address)


def test_machines_are_shared_evenly(machines):
    machines((True, {"CPU": 8.0}), (True, {"CPU": 5.0}), (True, {"memory": 1.0}), (False, {"CPU": 2.0}))
    share = ray_cluster.share(2)
    # 5 // 2 cores a worker: four fit on the first and two on the second.
    assert (share.cpus, share.gpus, share.workers) == (2, 0, 6)
    assert share.environment["TF_NUM_INTRAOP_THREADS"] == "2"
    assert share.environment["DISTILLER_PROCESSES"] == "2"
    assert ray_cluster.share(9).cpus == 1


def test_gpus_are_shared_where_there_are_some(machines):
    machines((True, {"CPU": 32.0, "GPU": 4.0}), (True, {"CPU": 12.0, "GPU": 1.0}), (True, {"CPU": 64.0}))
    share = ray_cluster.share(2)
    assert (share.cpus, share.gpus, share.workers) == (4, 0.5, 10)
    assert share.options()["num_gpus"] == 0.5


def test_a_cluster_without_cores(machines):
    machines((True, {"CPU": 0.0}))
    with pytest.raises(InputError, match="machines of 1 core or more"):
        ray_cluster.share(1)


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (InputError("wrong"), InputError, "^wrong$"),
        (WorkError("failed"), WorkError, "^failed$"),
        (OSError(28, "No space left on device", "x.npy"), WorkError, "^No space left on device: 'x.npy', on "),
        (KeyError("x"), WorkError, "^KeyError: 'x', on "),
    ],
)
def test_errors_elsewhere_are_told_here(error, kind, message):
    with pytest.raises(kind, match=message):
        result_of(outcome_of(lambda: fail(error)))
    assert result_of(outcome_of(lambda: 3)) == 3


def test_a_worker_needs_the_folder_and_the_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = Home.here()
    monkeypatch.chdir("/")
    home.enter()
    assert os.getcwd() == str(tmp_path)
    with pytest.raises(InputError, match=r"the folder '/nowhere' on every machine.* none on"):
        Home("/nowhere", home.versions).enter()
    with pytest.raises(InputError, match=r"same versions on every machine. Received on .*keras .* \(there: 2.0\)"):
        Home("/", {**home.versions, "keras": "2.0"}).enter()
