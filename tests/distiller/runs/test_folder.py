"""The folder of a run: what may be asked when it goes on."""

import dataclasses
import errno
import os
import subprocess
import sys

import pytest

from distiller import data, recipes
from distiller.errors import InputError, WorkError
from distiller.runs import pipeline
from distiller.runs.digests import digests, used
from distiller.runs.folder import RunFolder, write_json


@pytest.fixture
def begun(tmp_path):
    RunFolder.open(tmp_path / "run", demo([0, 1]), resume=False, force=False)
    return tmp_path / "run"


def demo(seeds, **changes):
    return recipes.read_run("demo").model_copy(update={"seeds": seeds, **changes})


def test_more_seeds_may_be_asked(begun):
    folder = RunFolder.open(begun, demo([0, 1, 5]), resume=True, force=False)
    assert folder.run()["recipe"]["seeds"] == [0, 1, 5]
    assert {"commit", "machine", "versions"} <= folder.run().keys()


def test_the_order_of_seeds_is_free(begun):
    assert RunFolder.open(begun, demo([1, 0]), resume=True, force=False).run()["recipe"]["seeds"] == [1, 0]


def test_a_run_from_before_a_recipe_could_say_more_goes_on(begun):
    run = RunFolder(begun).run()
    del run["recipe"]["teacher"]["frozen"], run["recipe"]["cache"]
    write_json(begun / "run.json", run)
    assert RunFolder.open(begun, demo([0, 1]), resume=True, force=False).run()["recipe"]["teacher"]["frozen"] is False


def test_a_run_of_another_command_is_told(begun):
    training = recipes.read_train("teacher_cifar100")
    with pytest.raises(InputError, match=r"holds a run of `distiller run`. Name another folder, or use --force"):
        RunFolder.open(begun, training, resume=True, force=False)


def test_a_recipe_that_this_version_does_not_know_is_told(begun):
    run = RunFolder(begun).run()
    run["recipe"]["training"]["epochs"] = -1
    write_json(begun / "run.json", run)
    with pytest.raises(InputError, match="not one of this version"):
        RunFolder.open(begun, demo([0, 1]), resume=True, force=False)


@pytest.mark.parametrize("content", ["{}", "[]", "3", "no json", '{"recipe": "soup"}', "[" * 100_000])
@pytest.mark.parametrize("options", [{"resume": True, "force": False}, {"resume": False, "force": True}])
def test_a_folder_of_something_else_is_left_alone(tmp_path, content, options):
    (tmp_path / "run.json").write_text(content)
    (tmp_path / "thesis.tex").write_text("years of work")
    for call in (RunFolder.check, lambda path, **o: RunFolder.open(path, demo([0]), **o)):
        with pytest.raises(InputError, match=r"holds a run.json of another kind. Name another folder"):
            call(tmp_path, **options)
    assert (tmp_path / "thesis.tex").exists()


def test_what_is_to_be_read_is_not_deleted(begun, tmp_path):
    teacher, elsewhere = begun / "teacher.keras", tmp_path / "teacher.keras"
    for path in (teacher, elsewhere):
        path.write_text("a network")
    with pytest.raises(
        InputError, match=r"another output folder than '.*run', which --force deletes. Received: '.*run"
    ):
        RunFolder.open(begun, demo([0]), resume=False, force=True, used=["digits", teacher])
    assert teacher.exists()
    RunFolder.open(begun, demo([0]), resume=False, force=True, used=["digits", elsewhere])
    assert not teacher.exists()


def test_what_a_run_reads(tmp_path):
    recipe = demo([0]).model_dump(mode="json") | {"teacher": {"file": "teacher.keras"}}
    recipe["data"]["name"] = "photos"
    assert used(recipes.checked(recipe, "demo", kind="run"), tmp_path) == ["teacher.keras", "photos", tmp_path]


def test_a_run_reads_the_images_of_a_teacher_that_it_trains():
    """Names of data sets are no folders, even where a folder is called so."""
    changes = ["teacher.train.data={name: old/photos.npz}", "data={name: photos}"]
    assert used(recipes.read_run("demo", changes), None) == ["photos", "old/photos.npz"]
    assert used(recipes.read_run("demo"), None) == []


@pytest.mark.parametrize("name", ["train", "run"])
def test_a_recipe_in_the_folder_is_not_deleted(begun, command, monkeypatch, name):
    monkeypatch.setattr("distiller.utils.backend.load_backend", lambda: pytest.fail("the work has begun"))
    recipe = begun / "mine.yaml"
    recipe.write_text(recipes.text({"train": "teacher_cifar100", "run": "demo"}[name]))
    code, _, errors = command(name, recipe, "--out", begun, "--force")
    assert code == 2
    assert f"which --force deletes. Received: {str(recipe)!r} in it to read" in errors
    assert recipe.exists()


def test_a_stage_says_which_commit_made_it(begun, monkeypatch):
    folder = RunFolder(begun)
    for commit in ("first", "second"):
        monkeypatch.setattr("distiller.runs.folder.provenance", lambda commit=commit: {"commit": commit})
        folder.once(commit, lambda _: {"steps": 3})
        folder.once("first", lambda _: {"steps": 4})
    assert folder.result("first") == {"steps": 3, "provenance": {"commit": "first"}}
    assert folder.result("second")["provenance"] == {"commit": "second"}


@pytest.mark.parametrize("seeds", [[0], [0, 2], [5]])
def test_no_seed_may_be_left_out(begun, seeds):
    with pytest.raises(InputError, match="another seeds"):
        RunFolder.open(begun, demo(seeds), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]


def test_nothing_else_may_change_with_them(begun):
    with pytest.raises(InputError, match="another summary"):
        RunFolder.open(begun, demo([0, 1, 5], summary="another"), resume=True, force=False)
    assert RunFolder(begun).run()["recipe"]["seeds"] == [0, 1]


def test_what_was_changed_is_named_with_the_call_that_began(begun, monkeypatch):
    run = RunFolder(begun).run()
    write_json(begun / "run.json", {**run, "command": "distiller run demo --out 'my run'"})
    changes = ["training.epochs=7", "teacher.train.training.crop=3", "arms.more={}", "seeds=[0, 1]"]
    told = (
        "was started with another arms.more and teacher.train.training.crop and training.epochs, "
        "as `distiller run demo --out 'my run'`. Resume it as it was started or with more seeds, or use --force"
    )
    with pytest.raises(InputError) as error:
        RunFolder.open(begun, recipes.read_run("demo", changes), resume=True, force=False)
    assert told in str(error.value)


def test_a_run_that_does_not_say_its_call_is_told_of_without(begun):
    run = RunFolder(begun).run()
    del run["command"]
    write_json(begun / "run.json", run)
    with pytest.raises(InputError, match=r"with another summary. Resume it"):
        RunFolder.open(begun, demo([0, 1], summary="another"), resume=True, force=False)


@pytest.mark.parametrize("there", [False, True])
def test_where_no_run_is_there_a_new_one_is_told(tmp_path, capsys, there):
    if there:
        (tmp_path / "rnu").mkdir()
    RunFolder.check(tmp_path / "rnu", resume=True, force=False)
    told = capsys.readouterr().err
    assert told == f"There is no run to go on with in {str(tmp_path / 'rnu')!r}: a new one starts\n"


def test_nothing_is_told_where_a_run_goes_on_or_none_is_asked_for(begun, tmp_path, capsys):
    RunFolder.check(begun, resume=True, force=False)
    RunFolder.check(begun, resume=False, force=True)
    RunFolder.check(tmp_path / "new", resume=False, force=False)
    assert capsys.readouterr().err == ""


class TestInputs:
    """A run goes on with the files and images that it was started with."""

    @staticmethod
    def open(folder, inputs):
        return RunFolder.open(folder, demo([0, 1]), resume=folder.exists(), force=False, inputs=inputs)

    def test_others_are_refused(self, tmp_path):
        self.open(tmp_path / "run", {"images": "a", "teacher.keras": "b"})
        with pytest.raises(InputError, match=r"started with other content of teacher.keras. Resume"):
            self.open(tmp_path / "run", {"images": "a", "teacher.keras": "c"})
        self.open(tmp_path / "run", {"images": "a", "teacher.keras": "b"})

    def test_a_run_that_does_not_say_takes_what_it_is_given(self, begun):
        run = RunFolder(begun).run()
        del run["inputs"]
        write_json(begun / "run.json", run)
        assert self.open(begun, {"images": "a"}).run()["inputs"] == {"images": "a"}

    def test_are_the_files_that_a_recipe_names_and_the_images(self, tmp_path):
        teacher, groups = tmp_path / "teacher.keras", tmp_path / "groups.yaml"
        teacher.write_bytes(b"abc")
        groups.write_bytes(b"")
        changes = [f"teacher={{file: {teacher}}}", f"bridge={{name: class_map, file: {groups}}}"]
        recipe = recipes.read_run("cifar100_to_cifar10", changes)
        digits = data.load("digits")
        found = digests(recipe, digits)
        assert found.keys() == {"images", str(teacher), str(groups)}
        # SHA-256 of "abc" and of nothing: FIPS 180-4's examples.
        assert found[str(teacher)] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert found[str(groups)] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        hidden = dataclasses.replace(digits, train=data.hide_labels(digits.train, 0, fraction=0.5))
        assert digests(recipe, hidden)["images"] != found["images"]

    def test_the_images_of_a_teacher_that_is_trained_first(self):
        """A run from before they were noted goes on."""
        digits = data.load("digits")
        hidden = dataclasses.replace(digits, train=data.hide_labels(digits.train, 0, fraction=0.5))
        found, other = (digests(demo([0]), digits.only(["3", "5"]), teacher) for teacher in (digits, hidden))
        assert found.keys() == {"images", "images of the teacher"}
        assert found["images"] == other["images"]
        assert found["images of the teacher"] != other["images of the teacher"]
        assert digests(demo([0]), digits)["images"] == found["images of the teacher"]


class TestAlone:
    """One process at a time works in a folder."""

    OTHER = (
        "import sys; from pathlib import Path; from distiller.utils.locks import alone\n"
        "with alone(Path(sys.argv[1])): print('held', flush=True); input()"
    )

    @pytest.fixture
    def other(self, begun):
        call = [sys.executable, "-c", self.OTHER, begun / "run.lock"]
        with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout.readline() == "held\n"
            yield other
            other.kill()

    @pytest.mark.parametrize("options", [{"resume": True, "force": False}, {"resume": False, "force": True}])
    def test_another_process_is_told_of_before_and_in_the_work(self, begun, other, options, monkeypatch):
        told = rf"Another process is at the run in '.*run': process {other.pid} on .*name another folder"
        with pytest.raises(InputError, match=told):
            RunFolder.check(begun, **options)
        monkeypatch.setattr("distiller.runs.pipeline.train_teacher", lambda *_: pytest.fail("the work has begun"))
        recipe = recipes.read_train("teacher_cifar100", ["data.name=digits", "model.options={}"])
        with pytest.raises(InputError, match=told):
            pipeline.train(recipe, begun, **options)
        assert RunFolder(begun).run()["recipe"]["kind"] == "run"

    def test_a_process_that_was_killed_holds_nothing(self, begun, other):
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # and nobody has waited for its end
        RunFolder.check(begun, resume=True, force=False)
        with RunFolder(begun).alone():
            RunFolder.open(begun, demo([0, 1]), resume=True, force=False)
        assert not (begun / "run.lock").exists()

    def test_twice_in_one_process(self, tmp_path):
        with RunFolder(tmp_path).alone():
            RunFolder.open(tmp_path, demo([0]), resume=False, force=False)
            with pytest.raises(InputError, match="Another process"), RunFolder(tmp_path).alone():
                pytest.fail("both are at work")
            RunFolder.open(tmp_path, demo([0]), resume=False, force=True)
            with pytest.raises(InputError, match="Another process"), RunFolder(tmp_path).alone():
                pytest.fail("the lock was deleted with the run")
        with RunFolder(tmp_path).alone():
            assert [path.name for path in tmp_path.iterdir()].count("run.lock") == 1


class TestKilledAtTheStart:
    """A run that was killed before its `run.json` was whole can be started again."""

    @pytest.mark.parametrize("left", ["run.tmp", "run.lock", "run.json.0123abcd-1-0123456789abcdef.part"])
    @pytest.mark.parametrize(("resume", "force"), [(False, False), (True, False), (False, True)])
    def test_in_the_same_folder(self, tmp_path, left, resume, force):
        (tmp_path / left).write_text('{"recipe": {"ki')
        RunFolder.check(tmp_path, resume=resume, force=force)
        RunFolder.open(tmp_path, demo([0]), resume=resume, force=force)
        assert RunFolder(tmp_path).run()["recipe"]["seeds"] == [0]

    def test_while_the_old_run_was_deleted(self, begun, monkeypatch):
        """What is left is still known as a run, which --force may delete."""
        (begun / "student.keras").write_text("a network")
        (begun / "zz").mkdir()
        deleted = []

        def killed(path, **_):
            deleted.append(path.name)
            raise KeyboardInterrupt

        monkeypatch.setattr("distiller.runs.folder.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            RunFolder.open(begun, demo([0]), resume=False, force=True)
        monkeypatch.undo()
        assert deleted == ["zz"]
        RunFolder.check(begun, resume=False, force=True)
        RunFolder.open(begun, demo([0]), resume=False, force=True)
        assert [path.name for path in begun.iterdir()] == ["run.json"]


def test_a_linked_folder_is_emptied_and_stays_linked(begun, tmp_path):
    """What a link in it points to stays."""
    link, elsewhere = tmp_path / "link", tmp_path / "elsewhere"
    link.symlink_to(begun)
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").write_text("years of work")
    (begun / "stages" / "teacher").mkdir(parents=True)
    (begun / "photos").symlink_to(elsewhere)
    RunFolder.check(link, resume=False, force=True)
    RunFolder.open(link, demo([7]), resume=False, force=True)
    assert link.is_symlink()
    assert [path.name for path in begun.iterdir()] == ["run.json"]
    assert RunFolder(begun).run()["recipe"]["seeds"] == [7]
    assert (elsewhere / "thesis.tex").exists()


def test_a_full_disk_is_told_with_the_file_and_the_way_on(begun):
    def full(stage):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(stage / "epoch-000003.weights.h5"))
        except OSError as error:
            raise RuntimeError("wrapped") from error

    told = (
        r"teacher/epoch-000003.weights.h5' cannot be written: No space left on device. What was done before is kept: "
        "make room, and go on with --resume"
    )
    with pytest.raises(WorkError, match=told):
        RunFolder(begun).once("teacher", full)
    with pytest.raises(RuntimeError, match="another"):
        RunFolder(begun).once("teacher", lambda _: (_ for _ in ()).throw(RuntimeError("another")))
