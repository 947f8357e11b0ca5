"""Output folders that cannot be made: told in a sentence, before the work."""

import pytest

from distiller import models, recipes
from distiller.errors import InputError
from distiller.runs.folder import RunFolder, check_output


@pytest.fixture
def no_work(monkeypatch):
    """No backend is loaded, and so nothing slow has begun."""
    monkeypatch.setattr("distiller.utils.backend.load_backend", lambda: pytest.fail("the work has begun"))


@pytest.fixture
def blocked(tmp_path):
    (tmp_path / "a file").write_text("no folder")
    return tmp_path / "a file" / "sub" / "out"


@pytest.fixture
def teacher(tmp_path):
    path = tmp_path / "teacher.keras"
    models.build("wide", 10, (8, 8, 1), widths=(8,), stem=4).save(path)
    return path


def check_refused(told, folder):
    code, out, errors = told
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"distiller: The output folder {str(folder)!r} cannot be made: ")


@pytest.mark.parametrize(
    "call",
    [
        ["demo"],
        ["run", "demo"],
        ["train", "teacher_cifar100", "--data-dir", "none"],
        ["distill", "wide_cifar100", "resnet8", "--data", "digits"],
    ],
)
@pytest.mark.usefixtures("no_work")
def test_of_a_run(command, blocked, call):
    check_refused(command(*call, "--out", blocked), blocked)
    check_refused(command(*call, "--out", "/proc/nope"), "/proc/nope")


@pytest.mark.usefixtures("no_work")
def test_of_a_diagnosis(command, blocked):
    check_refused(command("diagnose", "wide_cifar100", "--data", "cifar100", "--out", blocked), blocked)


def test_of_figures(command, blocked, tmp_path):
    """Before the file is looked at."""
    check_refused(command("benchmark", tmp_path / "no.tflite", "--figures", blocked), blocked)


def test_of_figures_where_there_is_a_file(command, blocked, tmp_path):
    code, _, errors = command("benchmark", tmp_path / "no.tflite", "--figures", blocked.parents[1])
    assert code == 2
    assert "a file' is a file" in errors


def test_of_the_library(blocked):
    with pytest.raises(InputError, match="cannot be made: Not a directory"):
        RunFolder.open(blocked, recipes.read_run("demo"), resume=False, force=False)


def test_a_name_that_no_system_takes(tmp_path):
    with pytest.raises(InputError, match="cannot be made: File name too long"):
        RunFolder.check(tmp_path / ("x" * 300), resume=False, force=False)


def test_a_check_leaves_nothing(tmp_path):
    check_output(tmp_path / "new" / "sub")
    RunFolder.check(tmp_path / "new" / "sub", resume=False, force=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    check_output(tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.usefixtures("no_work")
def test_what_a_folder_holds_is_told_before_the_work(command, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    code, _, errors = command("demo", "--force", "--out", tmp_path)
    assert code == 2
    assert "holds other files" in errors
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"recipe": {"kind": "run"}}')
    code, _, errors = command("demo", "--out", tmp_path / "run")
    assert code == 2
    assert "already holds a run" in errors
