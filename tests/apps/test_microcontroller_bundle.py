"""The C++ of bundles is compiled against a stub of the runtime and says what the file's bytes and numbers are."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

import tflite

STUB = Path(__file__).parent / "stubs" / "micro_mutable_op_resolver.h"
MAIN = """
#include <cstdio>
#include "{stem}_model.h"
int main() {{
  {stem}::Resolver resolver;
  if ({stem}::RegisterOperators(resolver) != kTfLiteOk) return 1;
  std::printf("%u %d %d %d\\n", resolver.count, {stem}::kHeight, {stem}::kWidth, {stem}::kChannels);
  std::printf("%zu %zu\\n", {stem}::kModelSize, {stem}::kArenaSize);
  for (int value = 0; value < 256; ++value)
    for (int c = 0; c < {stem}::kChannels; ++c) std::printf("%.9g ", static_cast<double>({stem}::Input(value, c)));
  std::printf("\\n");
  for (int value = -128; value < 256; ++value) std::printf("%.9g ", static_cast<double>({stem}::Score(value)));
  std::printf("\\n");
  for (const char* label : {stem}::kLabels) std::printf("%s\\n", label);
  std::fwrite({stem}::kModel, 1, {stem}::kModelSize, stderr);
}}
"""


@pytest.mark.parametrize("name", ["uint8_colour", "int8_grey", "float_colour"])
def test_what_it_holds_and_computes(name, bundles, tmp_path):
    bundled = bundles[name]
    include = tmp_path / "tensorflow/lite/micro"
    include.mkdir(parents=True)
    (include / STUB.name).write_text(STUB.read_text())
    (tmp_path / "main.cc").write_text(MAIN.format(stem=name))
    folder = bundled.path / "microcontroller"
    warnings = ["-std=c++17", "-Wall", "-Wextra", "-Wtrigraphs", "-Werror"]
    sources = [tmp_path / "main.cc", folder / f"{name}_model.cc"]
    subprocess.run(["g++", *warnings, f"-I{tmp_path}", f"-I{folder}", *sources, "-o", tmp_path / "main"], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)

    assert done.stderr == bundled.file.read_bytes()
    sizes, bytes_, inputs, scores, *labels = done.stdout.decode().splitlines()
    found = tflite.inspect(bundled.file)
    distinct = len({operator.name for operator in found.operators})
    assert sizes.split() == [str(distinct), "6", "5", str(bundled.images.shape[-1])]
    model_size, arena = map(int, bytes_.split())
    assert model_size == bundled.file.stat().st_size
    assert found.arena_bytes + 16 * 1024 <= arena < found.arena_bytes + 17 * 1024
    assert labels == ["cat", 'a "quoted" name', "café ???/", "dog"]

    # A picture whose pixel i has the value i in every colour, against the definition in NumPy.
    values = np.repeat(np.arange(256.0)[:, None], bundled.images.shape[-1], axis=1)
    expected = {
        "uint8_colour": values,
        "int8_grey": np.clip(np.rint(values / (bundled.port.scale or 1)) + (bundled.port.zero_point or 0), -128, 127),
        "float_colour": (values - [120, 110, 100]) / [60, 50, 70],
    }[name]
    np.testing.assert_allclose(np.array(inputs.split(), float), expected.ravel(), rtol=1e-6)
    output, raw = found.outputs[0], np.arange(-128, 256)
    if output.quantized:
        limits = np.iinfo(output.dtype)
        inside = (raw >= limits.min) & (raw <= limits.max)
        expected_scores = (raw - output.zero_point) * output.scale
    else:
        inside, expected_scores = np.ones(len(raw), bool), raw
    np.testing.assert_allclose(np.array(scores.split(), float)[inside], expected_scores[inside], rtol=1e-6)
