"""YAML of plain values, in which no key may come twice: plain YAML keeps the last and says nothing of the others."""

from typing import Any, ClassVar

import yaml

# What a document may hold, aliases counted as often as they are named: a few hundred bytes of them stand for gigabytes.
_MOST_NODES = 200_000
_DEEPEST = 50
# A scalar counts as one node more for so many characters.
_LONG = 64
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
_MERGE = "tag:yaml.org,2002:merge"
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """A safe loader of plain values, which refuses what is larger than any recipe and a mapping with a key twice.

    Dates are text, as they are in JSON.
    """

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in _PLAIN
    }
    yaml_implicit_resolvers = {  # noqa: RUF012  declared as one of the instance
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str):
        super().__init__(text)
        self._nodes = self._depth = self._height = 0
        # What finished nodes stand for: how many nodes, on how many levels.
        self._finished: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Called by PyYAML for every node and alias."""
        mark = self.peek_event().start_mark
        is_alias = self.check_event(yaml.AliasEvent)
        before, beside = self._nodes, self._height
        self._height = 0
        self._depth += 1
        self._check(mark)
        node = super().compose_node(parent, index)
        if is_alias:
            if id(node) not in self._finished:
                raise _wrong("an alias of what it is in itself", mark)
            size, height = self._finished[id(node)]
            self._nodes += size
        else:
            self._nodes += 1 + (len(node.value) // _LONG if isinstance(node, yaml.ScalarNode) else 0)
            height = self._height + 1
            self._finished[id(node)] = self._nodes - before, height
        self._height = height
        self._depth -= 1
        self._check(mark)
        self._height = max(beside, height)
        return node

    def _check(self, mark: yaml.Mark) -> None:
        if self._nodes > _MOST_NODES:
            raise _wrong(f"more than {_MOST_NODES:,} values, with what aliases stand for", mark)
        if self._depth + self._height > _DEEPEST:
            raise _wrong(f"values nested more than {_DEEPEST} deep", mark)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Called by PyYAML, before it merges what `<<` names."""
        node = super().compose_mapping_node(anchor)
        keys: set[Any] = set()
        for part, _ in node.value:
            if part.tag == _MERGE:
                continue
            if not isinstance(part, yaml.ScalarNode):
                raise _wrong("a key that is no plain value", part.start_mark)
            key = self.construct_object(part, deep=True)
            if key in keys:
                raise _wrong(f"found the key {key!r} twice", part.start_mark)
            keys.add(key)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Called by PyYAML for every value."""
        try:
            return super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Of PyYAML's constructors, for "!!int x" and for numbers of thousands of digits.
            kind = node.tag.removeprefix(_TAG)
            raise _wrong(f"what is no {kind}: {error}", node.start_mark) from None


def _wrong(what: str, mark: yaml.Mark | None) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


def load(text: str) -> Any:
    """The content of a document: mappings, sequences, text, numbers, truth values and null.

    Raises:
        yaml.YAMLError: it is not YAML, or a key of a mapping comes twice, or values have tags of other kinds, or it is
            larger or more deeply nested than anything a person writes; `problem` says it in one line.
    """
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        mark = yaml.Mark("", int(error.position), line, column, None, 0)
        raise _wrong(f"the character {chr(error.character)!r}", mark) from None
    try:
        return loader.get_single_data()
    except RecursionError:
        raise _wrong("values nested too deep", None) from None
    finally:
        loader.dispose()


def problem(error: yaml.YAMLError) -> str:
    """An error in one line, with its place where it is known.

    >>> try:
    ...     load("a: 1\\nb: 2\\na: 3")
    ... except yaml.YAMLError as error:
    ...     print(problem(error))
    found the key 'a' twice (line 3, column 1)
    """
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    words = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    return f"{words} (line {mark.line + 1}, column {mark.column + 1})" if mark else words
