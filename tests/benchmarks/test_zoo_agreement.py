"""The agreement of the zoo's students with their files, on one of them, hardly trained."""

import pytest

from benchmarks.files import zoo_agreement
from benchmarks.results import lines


def test_a_line_a_file_and_their_table(monkeypatch, tmp_path):
    monkeypatch.setattr(zoo_agreement, "FURTHER", 1)
    zoo_agreement.main(["resnet8", "--epochs", "1", "--results", str(tmp_path)])
    found = lines.read(tmp_path / zoo_agreement.NAME)
    assert [line["scheme"] for line in found] == ["int8", "int4"]
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    for line in found:
        assert (line["student"], line["epochs"], line["images"]) == ("resnet8", 1, 586)
        assert line["mean_lsb"] < line["unrounded_mean_lsb"]
        assert f"| {line['agreement']:.4f} | {line['mean_lsb']:.3f} |" in zoo_agreement.table()


def test_what_is_no_result_is_not_recorded(capsys):
    with pytest.raises(SystemExit):
        zoo_agreement.main(["--epochs", "2"])
    assert "another number of epochs is no result" in capsys.readouterr().err
