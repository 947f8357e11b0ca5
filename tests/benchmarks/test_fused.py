"""Fast kernels stand beside slow ones of the same round."""

import pytest

from benchmarks.results import lines
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


def test_an_unknown_network_is_told_before_any_is_measured(tmp_path, capsys):
    assert fused.main(["--networks", "resnet8", "resnet9", "--out", str(tmp_path / "fused.jsonl")]) == 2
    assert "Did you mean 'resnet8'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_trial_is_recorded_elsewhere(capsys):
    with pytest.raises(SystemExit):
        fused.main(["--rounds", "1"])
    assert "give --results another folder or file" in capsys.readouterr().err
