"""From a file to numbers of a phone, with the real adb client."""

import statistics

import pytest
from fake_device import tool

import tflite

pytest_plugins = ("fake_device.fixtures",)


@pytest.mark.parametrize("generation", ["2020", "2022", "2024", "litert"])
@pytest.mark.parametrize("features", [["shell_v2", "stat_v2"], []])
def test_end_to_end(phones, files, tmp_path, generation, features):
    phone = phones(features=features)
    (got,) = tflite.android.benchmark(files["int8"].path, tool=tool.make(tmp_path, generation), profile=True)
    assert got.mean_ms == pytest.approx(statistics.fmean(tool.RUNS) / 1000, rel=1e-5)
