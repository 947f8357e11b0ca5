"""The keys of recipes, from the pydantic models that check them."""

import inspect
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic_core import PydanticUndefined

from distiller import recipes


def pages() -> Iterator[tuple[str, str]]:
    """The one page of recipe keys: path and text."""
    sections: dict[type[pydantic.BaseModel], None] = {}
    for root in (recipes.RunRecipe, recipes.TrainRecipe):
        _collect(root, sections)
    packaged = "\n".join(f"| `{name}` | {recipes.read(name).summary} |" for name in recipes.names())
    parts = [
        "# Recipe keys\n",
        "A recipe is a YAML file. `distiller recipes NAME > mine.yaml` prints a packaged one to begin with, "
        "`--set KEY=VALUE` changes a key for one run, and a key that does not exist is an error that names the "
        "nearest.\n",
        f"| packaged recipe | summary |\n| :--- | :--- |\n{packaged}\n",
        *(_section(section) for section in sections),
    ]
    yield "reference/recipes.md", "\n".join(parts)


def _collect(section: type[pydantic.BaseModel], found: dict[type[pydantic.BaseModel], None]) -> None:
    if section in found:
        return
    found[section] = None
    for field in section.model_fields.values():
        for inner in _models(field.annotation):
            _collect(inner, found)


def _models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _section(section: type[pydantic.BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_cell(_meaning(field))} | {_type(field.annotation)} | {_default(field)} |"
        for name, field in section.model_fields.items()
    ]
    return "\n".join(
        [
            f"## {section.__name__} {{ #{section.__name__} }}\n",
            f"{inspect.cleandoc(section.__doc__ or '')}\n",
            "| key | meaning | values | default |\n| :--- | :--- | :--- | :--- |",
            *rows,
            "",
        ]
    )


def _meaning(field: Any) -> str:
    """The description of a key; of one that is a section, the first sentence about that."""
    if field.description:
        return str(field.description)
    sections = list(_models(field.annotation))
    if len(sections) == 1:
        text = inspect.cleandoc(sections[0].__doc__ or "").split("\n\n")[0].replace("\n", " ")
        return text.split(". ")[0].rstrip(".")
    return "always this" if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1 else ""


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"  # as YAML has it
    value = list(value) if isinstance(value, tuple) else value
    return "see there" if isinstance(value, pydantic.BaseModel) else f"`{_cell(str(value))}`"


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "none"
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_type(one) for one in get_args(annotation) if one is not type(None))
    if origin is list:
        return f"list of {_plural(_type(get_args(annotation)[0]))}"
    if origin is tuple:
        return "two numbers"
    if origin is dict:
        return f"mapping of names to {_type(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__})"
    words = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`", Any: "anything"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _plural(words: str) -> str:
    return {"whole number": "whole numbers", "number": "numbers", "text": "strings"}.get(words, words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
