"""Several classes of the teacher are one class of the student."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.bridges.bridge import Bridge
from distiller.bridges.subset import check_classes, class_index
from distiller.errors import InputError
from distiller.networks.feature_extraction import entry
from distiller.utils.shown import shown
from distiller.utils.suggestions import unknown

# The logit of a class that no class of the teacher maps to. Beside logits of up to ±200 a softmax gives it exactly 0 in
# float32 at temperatures up to 90; unlike −∞ it makes no objective NaN.
NEVER = -1e4

Class = int | str
# Classes that a message names.
_MOST_TOLD = 20


class ClassMap(Bridge):
    """A class of the student stands for a group of the teacher's, and takes the sum of their probabilities.

    p_s(y) = sum of p_t(c) over c in group(y), divided by the sum over all groups; as logits the log-sum-exp of each
    group, whose softmax is p_s. Nothing is fitted. A temperature in an objective softens these sums:
    softmax(logits / temperature) is p_s ** (1 / temperature), renormalized.

    Args:
        groups: class of the student → class of the teacher, or a list of them (synonyms, or the parts of a superclass);
            or a list with one such group for each class of the student. Classes are names or indices. Classes of the
            teacher that are in no group are left out, and the probability of the others is renormalized.
        names: the names of the teacher's classes in the order of its logits; needed where `groups` has names of them.
        classes: the names of the student's classes in the order of its logits; the keys of `groups` where not given.
        rest: the class of the student that stands for "none of these": all classes of the teacher in no group.
        allow_missing: let classes of the student have no class of the teacher. Their logit is −10000: the teacher
            never says them, so their images should have labels. Only for objectives that compare probabilities: in a
            squared error or a standardization of logits this number outweighs all others.

    Attributes:
        classes: the names of the student's classes, or their indices where they have no names.
        groups: for each class of the student, the indices of the teacher's, without `rest`.

    Raises:
        InputError: an unknown class (the message has the nearest), no groups, a class of the teacher or of the
            student twice, a name of two classes, a class of the student without one of the teacher, fewer than two
            classes of the student.

    >>> from distiller.bridges import ClassMap
    >>> pets = ClassMap({"cat": ["siamese", "tabby"], "dog": "beagle"}, names=["beagle", "car", "siamese", "tabby"])
    >>> pets.classes, pets.groups
    (('cat', 'dog'), [[2, 3], [0]])
    """

    def __init__(
        self,
        groups: Mapping[Any, Any] | Sequence[Any],
        names: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        *,
        rest: Class | None = None,
        allow_missing: bool = False,
    ):
        groups = groups if isinstance(groups, Mapping) else dict(enumerate(groups))
        if not groups:
            raise InputError("Expected a map from classes of the student to classes of the teacher. Received: none")
        keys = [*groups, *([] if rest is None else [rest])]
        if classes is None and all(isinstance(key, str) for key in keys):
            classes = list(dict.fromkeys(keys))
        twice = [name for name, count in Counter(classes or ()).items() if count > 1]
        if twice:
            raise InputError(f"Expected every name of the student's classes once. Received twice: {twice[0]!r}")
        places = [class_index(key, classes, owner="student") for key in keys]
        for number, key in enumerate(groups):
            if places[number] in places[:number]:  # by its name and by its index
                raise InputError(f"Expected each class of the student once in the map. Received twice: {key!r}")
        self.classes: tuple[Class, ...] = tuple(range(max(places) + 1) if classes is None else classes)
        if len(self.classes) < 2:
            raise InputError(f"Expected two or more classes of the student. Received: {list(self.classes)}")
        self.names, self.allow_missing = names, allow_missing
        self.rest = None if rest is None else places[-1]
        self.groups: list[list[int]] = [[] for _ in self.classes]
        taken: set[int] = set()
        for place, members in zip(places, groups.values(), strict=False):  # `rest` has a place and no members
            for member in _listed(members):
                index = class_index(member, names, owner="teacher")
                if index in taken:
                    raise InputError(f"Expected each class of the teacher once in the map. Received twice: {member!r}")
                taken.add(index)
                self.groups[place].append(index)
        self._check_missing([bool(group) or place == self.rest for place, group in enumerate(self.groups)])

    @classmethod
    def read(cls, path: str | Path, names: Sequence[str] | None = None, **options: Any) -> "ClassMap":
        """A map from a YAML file that has classes of the student as keys and classes of the teacher as values.

        Raises:
            InputError: no such file, not YAML, not a mapping, a key twice, a number that is an index as it stands and
                the name of another class in quotes, or whatever the constructor refuses.
        """
        if not Path(path).is_file():
            raise InputError(f"The class map {str(path)!r} does not exist")
        groups = _mapping(Path(path))
        _check_numbers(path, groups, options.get("classes"), owner="student")
        _check_numbers(path, [each for group in groups.values() for each in _listed(group)], names, owner="teacher")
        return cls(groups, names, **options)

    @classmethod
    def named(cls, name: str, **options: Any) -> "ClassMap":
        """A map of the package: "cifar100_coarse", from the 100 classes of CIFAR-100 to its 20 superclasses.

        The classes of both sides are in the order of the data set's labels, which is that of the alphabet.

        Raises:
            InputError: no such map; the message names the nearest.

        >>> from distiller.bridges import ClassMap
        >>> ClassMap.named("cifar100_coarse").classes[:2]
        ('aquatic_mammals', 'fish')
        """
        folder = resources.files("distiller.data") / "hierarchies"
        known = {file.name.removesuffix(".yaml"): file for file in folder.iterdir()}
        if name not in known:
            raise InputError(unknown("class map", name, known))
        groups = _mapping(known[name])
        return cls(groups, **{"names": sorted(member for group in groups.values() for member in group), **options})

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The teacher with one logit for each group."""
        if len(self.classes) != classes:
            raise InputError(f"The map has {len(self.classes)} classes and the student {classes}. Expected as many")
        taken = {index for group in self.groups for index in group}
        check_classes(teacher, taken, self.names)
        groups = [list(group) for group in self.groups]
        if self.rest is not None:
            groups[self.rest] += sorted(set(range(teacher.output_shape[-1])) - taken)
        self._check_missing([bool(group) for group in groups])
        # Named after the teacher, which may be a bridged network itself: names of layers are unique.
        name = f"{teacher.name}_class_map"
        return keras.Model(entry(teacher), Groups(groups, name=name)(teacher.outputs[0]), name=name)

    def relabel(self, labels: np.ndarray) -> np.ndarray:
        """Labels in the teacher's classes as labels in the student's, int32; −1 for a class that is left out.

        >>> from distiller.bridges import ClassMap
        >>> ClassMap([[0, 3], [1]]).relabel([0, 1, 2, 3, -1]).tolist()
        [0, 1, -1, 0, -1]
        """
        places = {index: place for place, group in enumerate(self.groups) for index in group}
        others = -1 if self.rest is None else self.rest
        return np.array(
            [-1 if label < 0 else places.get(label, others) for label in np.asarray(labels).tolist()], "int32"
        )

    def _check_missing(self, filled: Sequence[bool]) -> None:
        missing = [str(label) for label, has in zip(self.classes, filled, strict=True) if not has]
        if missing and not self.allow_missing:
            raise InputError(
                f"No class of the teacher maps to the student's {', '.join(missing[:_MOST_TOLD])}"
                f"{f' and {len(missing) - _MOST_TOLD:,} more' if len(missing) > _MOST_TOLD else ''}. "
                "Expected one for each class, or allow_missing=True"
            )
        if sum(filled) < 2:
            raise InputError(
                f"Expected classes of the teacher for two or more of the student's. Received: {sum(filled)}"
            )


@keras.saving.register_keras_serializable("distiller")
class Groups(keras.layers.Layer):
    """Log-sum-exp over groups of the last axis: (batch, n) to (batch, len(groups)), in float32.

    An empty group has the logit −10000.
    """

    takes_logits = True
    mixes_classes = True

    def __init__(self, groups: Sequence[Sequence[int]], **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.groups = [list(group) for group in groups]

    def call(self, inputs: Any) -> Any:
        """The logits of the groups."""
        return grouped_logits(inputs, self.groups)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "groups": self.groups}


def grouped_logits(logits: Any, groups: Sequence[Sequence[int]]) -> Any:
    """log of the sum of exp(logits) over each group: (…, n) to (…, len(groups)).

    >>> import numpy as np
    >>> grouped = grouped_logits(np.log([[0.1, 0.2, 0.3, 0.4]]), [[0, 3], [2]])
    >>> print(np.round(np.exp(grouped), 3))
    [[0.5 0.3]]
    """
    # Groups are filled up with a column of −∞; empty ones take another first, so that no gradient is NaN.
    filler = logits.shape[-1]
    table = np.full((len(groups), max(map(len, groups))), filler, "int32")
    table[:, 0] = 0
    for row, group in zip(table, groups, strict=True):
        row[: len(group)] = group
    padding = [[0, 0]] * (len(logits.shape) - 1) + [[0, 1]]
    members = ops.take(ops.pad(logits, padding, constant_values=-np.inf), table, axis=-1)
    empty = np.array([not group for group in groups])
    return ops.where(empty, NEVER, ops.logsumexp(members, axis=-1))


def _listed(members: Any) -> list[Any]:
    if members is None:
        return []
    return list(members) if isinstance(members, Iterable) and not isinstance(members, str | Mapping) else [members]


def _check_numbers(path: str | Path, items: Iterable[Any], names: Sequence[str] | None, *, owner: str) -> None:
    """Raise InputError where a number is the index of one class, and the name of another."""
    for item in items:
        if type(item) is int and names and str(item) in names and str(item) not in names[item : item + 1]:
            raise InputError(
                f"Class map {str(path)!r}: {item} is the index of a class of the {owner}, and the name of another one. "
                f"Expected '{item}' in quotes for the name, or the other's name"
            )


def _mapping(file: Traversable) -> dict[Any, Any]:
    import yaml

    from distiller.utils import yaml_text

    try:
        content = yaml_text.load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"The class map {str(file)!r} cannot be read as YAML: {yaml_text.problem(error)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The class map {str(file)!r} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"Class map {str(file)!r}: expected a mapping of the student's classes to the teacher's. "
            f"Received: {shown(content)}"
        )
    return content
