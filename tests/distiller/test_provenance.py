"""Where a result comes from."""

import pytest

from distiller import provenance


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts a driver's tool on the path that says and returns what it is told."""

    def put(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        provenance._gpus.cache_clear()

    yield put
    provenance._gpus.cache_clear()


def test_gpus_are_named(driver):
    driver('[ "$1" = --query-gpu=name ] && echo "NVIDIA H100 80GB HBM3" && echo "NVIDIA L4"')
    assert provenance.machine()["gpus"] == ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]


def test_a_driver_without_a_gpu_names_none(driver):
    driver("echo 'No devices were found'; exit 6")
    assert "gpus" not in provenance.machine()


def test_cores_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert provenance.machine()["cores"] == 6
