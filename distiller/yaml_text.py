"""YAML in which no key may come twice: plain YAML keeps the last and says nothing of the others."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with a repeated key, whatever it is merged with."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Called by PyYAML, before it merges what `<<` names."""
        node = super().compose_mapping_node(anchor)
        keys: list[Any] = []
        for part, _ in node.value:
            if part.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(part, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, f"found the key {key!r} twice", part.start_mark
                )
            keys.append(key)
        return node


def load(text: str) -> Any:
    """What a document says.

    Raises:
        yaml.YAMLError: it is not YAML, or a key of a mapping comes twice.
    """
    return yaml.load(text, _Loader)
