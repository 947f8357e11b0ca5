"""Where a result comes from."""

import pytest

from distiller.utils import processes, provenance


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts a driver's tool on the path that says and returns what it is told."""

    def put(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        provenance.listed_gpus.cache_clear()

    yield put
    provenance.listed_gpus.cache_clear()


@pytest.mark.parametrize(("devices", "key"), [(["gpu:0", "gpu:1"], "gpus"), ([], "unused_gpus")])
def test_gpus_are_named(driver, monkeypatch, devices, key):
    monkeypatch.setattr("keras.distribution.list_devices", lambda kind: devices)
    driver('[ "$1" = --query-gpu=name ] && echo "NVIDIA H100 80GB HBM3" && echo "NVIDIA L4"')
    machine = provenance.machine()
    assert machine[key] == ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]
    assert len(machine) == 4


def test_a_driver_without_a_gpu_names_none(driver):
    driver("echo 'No devices were found'; exit 6")
    assert "gpus" not in provenance.machine()


def test_cores_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert provenance.machine()["cores"] == 6


def test_processes_and_threads_are_recorded(monkeypatch):
    """A student that trains beside another has fewer threads, and sums in another order."""
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    cores = processes.cores()
    assert provenance.provenance().items() >= {"processes": 1, "threads": cores}.items()
    with processes.pool(2) as workers:
        found = workers.submit(provenance.provenance).result()
    assert (found["processes"], found["threads"]) == (2, max(1, cores // 2))
    assert provenance.provenance()["processes"] == 1
