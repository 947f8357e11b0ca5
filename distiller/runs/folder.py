"""The folder of a run: what was asked, what came of it, and which stages are done."""

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distiller.errors import InputError
from distiller.recipes.training import Section
from distiller.utils import locks
from distiller.utils.atomic_files import sweep, write_whole
from distiller.utils.disk import told_if_full
from distiller.utils.progress import Reporter
from distiller.utils.provenance import provenance

_RUN = "run.json"
_LOCK = "run.lock"


class RunFolder:
    """A folder that holds one run.

    `run.json` says what was asked and on which machine; a stage writes into `stages/NAME/` and is done when its
    `result.json` is there, so that a run goes on where it stopped.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def open(
        cls,
        path: Path,
        recipe: Section,
        *,
        resume: bool,
        force: bool,
        inputs: Mapping[str, str] | None = None,
        used: Iterable[str | Path] = (),
    ) -> "RunFolder":
        """Start a run in `path`, or go on with the one that is there.

        `inputs` are digests of what else the run is made from, by name: a run goes on with the same alone. `used` are
        files and folders that it reads.

        Raises:
            InputError: the folder holds a run and neither `resume` nor `force` is given, or another recipe's run is
                or one with other inputs is to be resumed (more seeds may be asked than before), or it holds other
                files, or cannot be made; or `force` would delete what is used.
        """
        folder = cls(path)
        with _told(path):
            folder._refuse(resume=resume, force=force)
            begun = folder.run_file.exists()
        if begun and resume:
            folder._go_on(recipe, inputs or {})
            sweep(path)
            return folder
        if begun:
            folder._keep(used)
        asked = recipe.model_dump(mode="json")
        command = shlex.join(["distiller", *sys.argv[1:]])
        run = {"recipe": asked, "command": command, **provenance(), "inputs": dict(inputs or {})}
        with _told(path):
            path.mkdir(parents=True, exist_ok=True)
            folder._clear()
            write_json(folder.run_file, run)
        return folder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, which is made, while the block runs, so that no other process works in it.

        Raises:
            InputError: another process is at the run, or the folder cannot be made or written to.
        """
        _refuse_urls(self.path)
        with _told(self.path), ExitStack() as stack:
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(locks.alone(self.path / _LOCK))
            except locks.LockedError as holder:
                raise self._at_work(holder) from None
            held = stack.pop_all()
        with held:
            yield

    def _at_work(self, holder: object) -> InputError:
        return InputError(
            f"Another process is at the run in {str(self.path)!r}: {holder}. Wait for its end or name another folder"
        )

    @classmethod
    def check(cls, path: Path, *, resume: bool, force: bool, source: Path | None = None) -> None:
        """See before the work whether `open` can start a run in `path`, or go on with one; nothing stays written.

        `source` is the file of the recipe, which has been read and is to stay. Where there is no run to go on with,
        that is told, as a path may be mistyped: the run starts all the same.

        Raises:
            InputError: as of `open`, but for another recipe.
        """
        check_output(path)
        folder = cls(path)
        if (holder := locks.holder(path / _LOCK)) is not None:
            raise folder._at_work(holder)
        folder._refuse(resume=resume, force=force)
        if force and source is not None:
            folder._keep([source])
        if resume and not folder.run_file.exists():
            Reporter().say(f"There is no run to go on with in {str(path)!r}: a new one starts")

    def _refuse(self, *, resume: bool, force: bool) -> None:
        """Raise InputError where there is what may not be written over."""
        name = repr(str(self.path))
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"The output folder {name} is a file")
        if self.run_file.exists():
            try:
                known = isinstance(self.run()["recipe"]["kind"], str)
            except (ValueError, KeyError, TypeError, RecursionError):
                known = False
            if not known:  # somebody else's, which is neither gone on with nor deleted
                raise InputError(f"The output folder {name} holds a run.json of another kind. Name another folder")
            if not (resume or force):
                raise InputError(
                    f"The output folder {name} already holds a run. "
                    "Use --resume to go on with it or --force to start anew"
                )
        elif self.path.exists() and any(not _of_a_start(path) for path in self.path.iterdir()):
            raise InputError(f"The output folder {name} holds other files. Name a new or an empty folder")

    def _keep(self, used: Iterable[str | Path]) -> None:
        """Raise InputError where something that is to be read is in the folder, which is to be deleted."""
        for path in used:
            if Path(path).exists() and Path(path).resolve().is_relative_to(self.path.resolve()):
                raise InputError(
                    f"Expected another output folder than {str(self.path)!r}, which --force deletes. "
                    f"Received: {str(path)!r} in it to read"
                )

    def _clear(self) -> None:
        """Delete what is in the folder, which may be a link to it, but for its lock.

        `run.json` stays till last: a process that is killed before leaves a run that may be deleted, and not files of
        which nobody knows whose they are.
        """
        for path in sorted(self.path.iterdir(), key=lambda path: path.name == _RUN):
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    @property
    def run_file(self) -> Path:
        """Path of `run.json`: the recipe with versions, machine and commit."""
        return self.path / _RUN

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.path / "stages" / name

    def once(self, name: str, work: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """The result of a stage: read where it is done, otherwise made by `work(folder)` and kept.

        It also says where it comes from: a run may go on with other software, or elsewhere.

        Raises:
            WorkError: the disk is full.
        """
        result = self.stage(name) / "result.json"
        if not result.exists():
            with told_if_full(self.path):
                result.parent.mkdir(parents=True, exist_ok=True)
                sweep(result.parent)
                write_json(result, {**work(result.parent), "provenance": provenance()})
        return self.result(name)

    def result(self, name: str) -> dict[str, Any]:
        """The result of a stage that is done."""
        return json.loads((self.stage(name) / "result.json").read_text())

    def run(self) -> dict[str, Any]:
        """Content of `run.json`."""
        return json.loads(self.run_file.read_text())

    def _go_on(self, recipe: Section, inputs: Mapping[str, str]) -> None:
        """Check that the same is asked of the same inputs as before, but for more seeds, which are noted."""
        run = self.run()
        asked = recipe.model_dump(mode="json")
        kind = run["recipe"]["kind"]
        if kind != asked["kind"]:
            raise InputError(
                f"The output folder {str(self.path)!r} holds a run of `distiller {kind}`. "
                "Name another folder, or use --force to start anew"
            )
        try:
            # What a recipe could not say when the run was started has its default.
            found = type(recipe).model_validate(run["recipe"]).model_dump(mode="json")
        except ValidationError:
            raise InputError(
                f"The recipe of the run in {str(self.path)!r} is not one of this version. Use --force to start anew"
            ) from None
        before, now = ({*of.get("seeds", [])} for of in (found, asked))
        changed = set(_changed(found, asked))
        if before <= now:
            changed.discard("seeds")
        if changed:
            call = f", as `{run['command']}`" if run.get("command") else ""
            raise InputError(
                f"The run in {str(self.path)!r} was started with another {' and '.join(sorted(changed))}{call}. "
                "Resume it as it was started or with more seeds, or use --force to start anew"
            )
        known = {**inputs, **run.get("inputs", {})}
        others = [name for name, digest in inputs.items() if known[name] != digest]
        if others:
            raise InputError(
                f"The run in {str(self.path)!r} was started with other content of {' and '.join(others)}. "
                "Resume it with what it was started with, or use --force to start anew"
            )
        if (asked, known) != (run["recipe"], run.get("inputs")):
            write_json(self.run_file, {**run, "recipe": asked, "inputs": known})


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """The places in which two recipes differ, each as deep as both go.

    >>> list(_changed({"training": {"epochs": 3, "crop": 1}}, {"training": {"epochs": 4, "crop": 1}}))
    ['training.epochs']
    """
    for key in dict.fromkeys([*before, *now]):
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _changed(one, other, f"{place}{key}.")
        elif one != other or (key in before) != (key in now):
            yield f"{place}{key}"


def check_output(path: Path) -> None:
    """See whether files could be written to an output folder, there or not; nothing stays written.

    Raises:
        InputError: it is a file, or cannot be made or written to.
    """
    _refuse_urls(path)
    new: list[Path] = []
    try:
        with _told(path):
            if path.exists() and not path.is_dir():
                raise InputError(f"The output folder {str(path)!r} is a file")
            new = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
    finally:
        for folder in new:
            with suppress(OSError):
                folder.rmdir()


def _refuse_urls(path: Path) -> None:
    """Raise InputError for s3://… and the like, which would be a folder of that name on this disk."""
    scheme = path.parts[0] if path.parts else ""
    if scheme.endswith(":") and len(scheme) > 2 and not path.drive:
        raise InputError(
            "Expected an output folder on a disk, one that all machines see where several work: files are mapped into "
            f"memory, locked and renamed in it. Received: {scheme}//{Path(*path.parts[1:]).as_posix()}. Copy a "
            "finished folder to such a place"
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of an output folder what the system says."""
    try:
        yield
    except OSError as error:
        done = "written to" if os.path.isdir(path) else "made"
        raise InputError(f"The output folder {str(path)!r} cannot be {done}: {error.strerror or error}") from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def _of_a_start(path: Path) -> bool:
    """Return whether a file is all that a run leaves which is killed before its `run.json` is whole."""
    return path.name in (_LOCK, "run.tmp") or (path.name.startswith(f"{_RUN}.") and path.suffix == ".part")
