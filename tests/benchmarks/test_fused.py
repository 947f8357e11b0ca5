"""Fast kernels stand beside slow ones of the same round."""

from benchmarks import lines
from benchmarks.speed import fused


def test_a_run_is_recorded_and_shown(tmp_path, capsys):
    out = tmp_path / "fused.jsonl"
    asked = ["--networks", "resnet8", "--precisions", "float32", "--batch", "2", "--rounds", "1", "--steps", "1"]
    assert fused.main([*asked, "--out", str(out)]) == 0
    (line,) = lines.read(out)
    seconds = {name: found[0] for name, found in line["seconds"].items()}
    assert line["times"]["training"]["median"] == seconds["training bare"] / seconds["training fused"]
    assert line["times"]["forward"]["median"] == seconds["forward bare"] / seconds["forward fused"]
    assert f"| resnet8 | float32 | {line['times']['training']['median']:.2f} (" in capsys.readouterr().out
    assert fused.main(["--networks", "resnet9", "--out", str(out)]) == 2
    assert "Did you mean 'resnet8'" in capsys.readouterr().err
