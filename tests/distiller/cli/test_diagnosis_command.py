"""The command `distiller diagnose`."""

import functools
import json

import numpy as np
import pytest

from distiller import models
from distiller.errors import InputError


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
        assert "Did you mean 'wide_cifar100'" in errors
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

    def test_packaged_weights_have_the_share_that_they_were_trained_with(self, diagnose, tmp_path, monkeypatch):
        """Whatever the data set is called, here a file of arrays: a twentieth of forty images a class is two."""
        classes = models.card("wide_cifar100")["classes"]
        images = np.random.default_rng(0).integers(0, 256, (4100, 32, 32, 3), "uint8")
        labels = np.arange(4100) % 100
        arrays = {"x_train": images[:4000], "y_train": labels[:4000], "x_test": images[4000:], "y_test": labels[4000:]}
        np.savez(tmp_path / "mine.npz", classes=classes, **arrays)

        def look(network, split, **_):
            raise InputError(f"{len(split)} images")

        monkeypatch.setattr("distiller.teachers.diagnose", look)
        assert models.card("wide_cifar100")["recipe"]["data"]["validation"] == 0.05
        for options, expected in (([], 200), (["--held-out", 0.1], 400)):
            _, _, errors = diagnose("wide_cifar100", "--data", tmp_path / "mine.npz", *options)
            assert errors == f"distiller: {expected} images\n"

    def test_help_has_an_example(self, diagnose):
        code, printed, _ = diagnose("--help")
        assert code == 0
        assert "distiller diagnose wide_cifar100 --data cifar100" in printed
