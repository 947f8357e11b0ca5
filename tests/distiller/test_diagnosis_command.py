"""The command `distiller diagnose`."""

import functools
import json

import pytest

from distiller import models


@pytest.fixture
def diagnose(command):
    return functools.partial(command, "diagnose")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    models.build("wide", 10, (8, 8, 1), widths=(8,), stem=4).save(path)
    return path


class TestCommand:
    def test_words_files_and_json(self, diagnose, file, tmp_path):
        options = ("--data", "digits", "--samples", 4, "--draws", 2, "--student", file)
        code, printed, _ = diagnose(file, *options, "--out", tmp_path / "out")
        assert code == 0
        assert "validation images of digits" in printed
        assert "What speaks against it:" in printed
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert names == {"diagnosis.json", "reliability.png", "soft_targets.png"}
        code, printed, _ = diagnose(file, *options, "--json", "--split", "test", "--held-out", "0.2")
        content = json.loads(printed)
        assert (code, content["samples"], content["classes"]) == (0, 450, 10)
        assert content["gap"]["student"]["parameters"] == content["gap"]["teacher"]["parameters"]

    def test_what_is_wrong_is_one_line(self, diagnose, file, tmp_path):
        code, _, errors = diagnose("wide_cifar10", "--data", "digits")
        assert code == 2
        assert "Did you mean 'wide_cifar100'?" in errors
        code, _, errors = diagnose(tmp_path / "no.keras", "--data", "digits")
        assert (code, errors.count("\n")) == (2, 1)
        assert "does not exist" in errors
        code, _, errors = diagnose(file, "--data", "digits", "--out", file)
        assert (code, errors.count("\n")) == (2, 1)
        assert "teacher.keras' is a file" in errors
        code, _, errors = diagnose("wide_cifar100", "--data", "digits")
        assert (code, errors.count("\n")) == (2, 1)
        assert "'wide_cifar100' was trained on: cifar100, of 100 classes. Received: digits, of 10" in errors
        code, _, errors = diagnose(file, "--data", "digits", "--classes", "3,5")
        assert (code, errors.count("\n")) == (2, 1)
        assert "Expected a model of 2 classes" in errors

    def test_help_has_an_example(self, diagnose):
        code, printed, _ = diagnose("--help")
        assert code == 0
        assert "distiller diagnose wide_cifar100 --data cifar100" in printed
