"""Find, read and check recipes."""

from collections.abc import Collection, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, overload

import yaml
from pydantic import ValidationError

from distiller.errors import InputError
from distiller.networks import image_size
from distiller.recipes.problems import problems
from distiller.recipes.schema import RunRecipe, Teacher, TrainRecipe
from distiller.utils import yaml_text
from distiller.utils.backend import load_keras
from distiller.utils.shown import shown
from distiller.utils.suggestions import unknown

_KINDS: dict[str, type[TrainRecipe] | type[RunRecipe]] = {"train": TrainRecipe, "run": RunRecipe}


def names(kind: str | None = None) -> list[str]:
    """The recipes that ship with the package, of one kind or of all."""
    folder = resources.files("distiller.recipes")
    found = sorted(e.name.removesuffix(".yaml") for e in folder.iterdir() if e.name.endswith(".yaml"))
    return [name for name in found if kind is None or _load(name).get("kind") == kind]


def read(name: str | Path, changes: Sequence[str] = (), *, kind: str | None = None) -> TrainRecipe | RunRecipe:
    """A checked recipe, by name or from a YAML file.

    Args:
        name: of a packaged recipe, or the path of a file.
        changes: each `place=value`, such as `training.epochs=3`; the value is read as YAML.
        kind: "train" or "run", where only one will do.

    Raises:
        InputError: no such recipe, not YAML, or something in it that a recipe cannot say; the message names the place
            and, for a misspelt key, the nearest ones.
    """
    content = _load(name)
    if not isinstance(content, dict):
        raise InputError(f"Recipe {str(name)!r}: expected a mapping of keys to values. Received: {shown(content)}")
    content.setdefault("name", Path(name).stem)
    for change in changes:
        _change(content, change)
    return checked(content, str(name), kind=kind, changed=[change.partition("=")[0] for change in changes])


@overload
def checked(
    content: dict[str, Any], name: str, *, kind: Literal["run"], changed: Collection[str] = ()
) -> RunRecipe: ...
@overload
def checked(
    content: dict[str, Any], name: str, *, kind: str | None = None, changed: Collection[str] = ()
) -> TrainRecipe | RunRecipe: ...
def checked(
    content: dict[str, Any], name: str, *, kind: str | None = None, changed: Collection[str] = ()
) -> TrainRecipe | RunRecipe:
    """The recipe that a mapping of keys to values says.

    `name` is what errors call it, and `changed` are the places that were changed in it; `kind` and errors as of `read`.
    """
    received = content.get("kind")
    if not isinstance(received, str) or received not in _KINDS or (kind and received != kind):
        expected = [kind] if kind else sorted(_KINDS)
        use = f". Use `distiller {received}`" if received in [*_KINDS] else ""
        raise InputError(
            f"Recipe {name!r}: expected kind {' or '.join(map(repr, expected))}. Received: {shown(received)}{use}"
        )
    try:
        recipe = _KINDS[received].model_validate(content)
    except ValidationError as error:
        raise InputError(
            f"Recipe {name!r}: " + "; ".join(problems(error, _KINDS[received], content, changed))
        ) from None
    return _in_size(recipe, name) if isinstance(recipe, RunRecipe) else recipe


def _in_size(recipe: RunRecipe, name: str) -> RunRecipe:
    """The recipe with photos in the size that its teacher takes, where it does not say another."""

    data, wanted = recipe.data, _taken_by(recipe.teacher)
    if wanted is None or wanted == data.image_size or not _can_resize(data.name):
        return recipe
    if "image_size" in data.model_fields_set:
        return recipe.model_copy(update={"teacher": recipe.teacher.model_copy(update={"image_size": wanted})})
    return recipe.model_copy(update={"data": data.model_copy(update={"image_size": wanted})})


def _taken_by(teacher: Teacher) -> tuple[int, int] | None:
    """Height and width of the images that a teacher takes; None where they are open or not known yet."""
    if teacher.is_external or teacher.image_size is not None:
        return None  # it gets the images in its own size
    if teacher.file:
        return image_size.of_keras(teacher.file)
    if teacher.train and _can_resize(teacher.train.data.name):
        return teacher.train.data.image_size
    return None


def read_run(name: str | Path, changes: Sequence[str] = ()) -> RunRecipe:
    """A recipe of `distiller run`; as `read`."""
    recipe = read(name, changes, kind="run")
    assert isinstance(recipe, RunRecipe)
    return recipe


def read_train(name: str | Path, changes: Sequence[str] = ()) -> TrainRecipe:
    """A recipe of `distiller train`; as `read`."""
    recipe = read(name, changes, kind="train")
    assert isinstance(recipe, TrainRecipe)
    return recipe


def file(name: str | Path) -> Path | None:
    """The YAML file that is read for `name`; None for a recipe of the package, and where there is none."""
    return Path(name) if _packaged(name) is None and Path(name).is_file() else None


def text(name: str | Path) -> str:
    """Text of a recipe, comments and all: of a packaged one, by name, or of a YAML file.

    Raises:
        InputError: no such recipe, or no text.
    """
    packaged, path = _packaged(name), file(name)
    if packaged is not None:
        return packaged.read_text()
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"The recipe file {str(name)!r} cannot be read: expected text in UTF-8, and line {line} is none"
            ) from None
        except OSError as error:
            raise InputError(f"The recipe file {str(name)!r} cannot be read: {error.strerror or error}") from None
    if str(name).endswith((".yaml", ".yml")):
        raise InputError(f"The recipe file {str(name)!r} does not exist")
    raise InputError(unknown("recipe", name, names()) + " A path of a YAML file is welcome too.")


def _packaged(name: str | Path) -> Traversable | None:
    """The recipe of the package that is called `name`."""
    found = resources.files("distiller.recipes") / f"{name}.yaml"
    return found if str(name).isidentifier() and found.is_file() else None


def _load(name: str | Path) -> Any:
    try:
        return yaml_text.load(text(name))
    except yaml.YAMLError as error:
        raise InputError(f"Recipe {str(name)!r} is not YAML: {yaml_text.problem(error)}") from None


def _change(content: dict[str, Any], change: str) -> None:
    place, equals, value = change.partition("=")
    if not equals:
        raise InputError(f"Expected a change as place=value, such as training.epochs=3. Received: {change!r}")
    *sections, key = place.split(".")
    for section in sections:
        inner = {} if content.get(section) is None else content[section]
        if not isinstance(inner, dict):
            raise InputError(f"Cannot change {place!r}: {section!r} is not a section")
        # A copy: what has an anchor in the file is also elsewhere, and stays as it is there.
        content[section] = content = dict(inner)
    try:
        content[key] = yaml_text.load(value)
    except yaml.YAMLError as error:
        raise InputError(f"The value in {shown(change)} is not YAML: {yaml_text.problem(error)}") from None


def _can_resize(name: str) -> bool:
    load_keras()  # which the module of `can_resize` needs
    from distiller.data import can_resize

    return can_resize(name)
