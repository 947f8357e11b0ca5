"""Problems of a recipe, in the words of the recipe and not of the validator."""

import re
from collections.abc import Collection
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from distiller.utils.shown import shown
from distiller.utils.suggestions import unknown

_MOST = 3  # places where a key exists
_MOST_TOLD = 20


def problems(
    error: ValidationError, recipe: type[BaseModel], content: dict[str, Any], changed: Collection[str] = ()
) -> list[str]:
    """A sentence for each problem, without a full stop; each once.

    Args:
        error: what the check of a recipe found.
        recipe: what was checked for.
        content: what was checked.
        changed: places in it that were changed, such as "labels.fraction".
    """
    details = error.errors()
    found = [_problem(detail, recipe, content, changed).removesuffix(".") for detail in details[:_MOST_TOLD]]
    more = [f"and {len(details) - _MOST_TOLD} more"] if len(details) > _MOST_TOLD else []
    return [*dict.fromkeys(found), *more]


def _problem(detail: ErrorDetails, recipe: type[BaseModel], content: dict[str, Any], changed: Collection[str]) -> str:
    loc, received = detail["loc"], detail["input"]
    path = _in_file(detail, content)
    place = ".".join(path)
    message = detail["msg"].removeprefix("Value error, ").removesuffix(".")
    message = f"{place}{': ' if place else ''}{message[0].lower()}{message[1:]}"
    match detail["type"]:
        case "extra_forbidden":
            deeper = _deeper(recipe, content, path[:-1], path[-1])
            hint = f" There is {', '.join(map(repr, deeper))}" if deeper else ""
            return f"{place}: {unknown('key', loc[-1], _keys(recipe, loc[:-1]))}{hint}"
        case "missing":
            return f"{place} is missing"
        case "union_tag_not_found":
            return f"{place}.name is missing"
        case "union_tag_invalid":
            known = re.findall(r"'(\w+)'", detail["ctx"]["expected_tags"])
            return f"{place}.name: {unknown('name', detail['ctx']['tag'], known)}"
        case "list_type" | "tuple_type" if not isinstance(received, dict):
            example = _as_list(received, _annotations(recipe, loc))
            return f"{message}, such as {place}={shown(example)}. Received: {shown(received)}"
        case "value_error" if isinstance(received, dict):  # a whole section
            return message + _one_of(message, received, place, changed)
    return f"{message}. Received: {shown(received)}"


def _in_file(detail: ErrorDetails, content: Any) -> list[str]:
    """Place of a problem as a file or a change names it: without the tags of unions that pydantic names too."""
    place = []
    for part in detail["loc"]:
        try:
            content = content[part]
        except (LookupError, TypeError):
            continue
        place.append(str(part))
    return [*place, str(detail["loc"][-1])] if detail["type"] == "missing" else place


def _one_of(message: str, section: dict[str, Any], place: str, changed: Collection[str]) -> str:
    """Keys of a section that exclude each other, where that is the problem, and how to remove what was not asked for.

    >>> _one_of("expected one of fraction and per_class", {"fraction": 0.2, "per_class": 5}, "labels",
    ...         ["labels.fraction"])
    '. Received: fraction and per_class. Take the other away with labels.per_class=null'
    """
    found = re.search(r"expected (?:exactly )?one of ([\w, ]+)$", message)
    if not found:
        return ""
    given = [key for key in re.split(", | and ", found[1]) if section.get(key) is not None]
    others = [f"{place}.{key}=null" for key in given if f"{place}.{key}" not in changed]
    hint = f". Take the other away with {' and '.join(others)}" if 0 < len(others) < len(given) else ""
    return f". Received: {' and '.join(given) or 'none of them'}{hint}"


def _as_list(received: Any, annotations: list[Any]) -> list[Any]:
    """A list that was meant by something else, such as "0,1" or 3."""
    parts = [part.strip() for part in received.split(",")] if isinstance(received, str) else [received]
    if not any(_holds(annotation, int) for annotation in annotations):
        return parts
    return [int(part) for part in parts] if all(str(part).isdecimal() for part in parts) else [0, 1]


def _holds(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_holds(inner, kind) for inner in get_args(annotation))


def _keys(recipe: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at `path`, as pydantic's errors name it, may have."""
    return [key for section in _at(recipe, path) for key in section.model_fields]


def _annotations(recipe: type[BaseModel], path: tuple[int | str, ...]) -> list[Any]:
    """Annotations of what may be at `path`."""
    sections = _at(recipe, path[:-1])
    return [s.model_fields[str(path[-1])].annotation for s in sections if path[-1] in s.model_fields]


def _at(recipe: type[BaseModel], path: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The sections that may be at `path`."""
    sections = [recipe]
    for part in path:
        fields = [s.model_fields[str(part)].annotation for s in sections if part in s.model_fields]
        if fields:
            sections = [section for field in fields for section in _sections(field)]
        else:  # the tag of a union, or a key of a mapping
            sections = [s for s in sections if part in _tags(s)] or sections
    return sections


def _deeper(recipe: type[BaseModel], content: dict[str, Any], above: list[str], key: str) -> list[str]:
    """The places below `above` that have a key, or may have it; the ones nearest to the top."""
    level: dict[tuple[str, ...], tuple[Any, Any]] = {(): (recipe, content)}
    while level:
        below = {
            (*place, name): (inner, node.get(name) if isinstance(node, dict) else None)
            for place, (annotation, node) in level.items()
            for name, inner in _below(annotation, node).items()
        }
        deeper = [place for place in below if place[-1] == key and len(place) > len(above) + 1]
        found = [".".join(place) for place in deeper if list(place[: len(above)]) == above]
        if found:
            return found[:_MOST]
        level = below
    return []


def _below(annotation: Any, node: Any) -> dict[str, Any]:
    """The keys that something in a recipe has or may have, and what they may be."""
    has = node if isinstance(node, dict) else {}
    if annotation is Any or get_origin(annotation) is dict:
        return dict.fromkeys(map(str, has), Any if annotation is Any else get_args(annotation)[1])
    fitting = [s for s in _sections(annotation) if not _tags(s) or has.get("name") in _tags(s)]
    return {name: field.annotation for section in fitting for name, field in section.model_fields.items()}


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """Every section in a type annotation, however deep in unions and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for inner in get_args(annotation) for section in _sections(inner)]


def _tags(section: type[BaseModel]) -> tuple[Any, ...]:
    field = section.model_fields.get("name")
    return get_args(field.annotation) if field else ()
