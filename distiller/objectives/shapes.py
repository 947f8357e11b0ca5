"""Shapes of features that can be compared, and messages that say how to make them so."""

from collections.abc import Sequence
from typing import Any

from distiller.errors import InputError

Shape = tuple[int | None, ...]
# Maps have one to three axes of positions: those of sequences, images and volumes.
_RANKS = (3, 4, 5)
_MAPS = "(batch, positions, channels), (batch, height, width, channels), (batch, depth, height, width, channels)"


def check_shape(role: str, shape: Sequence[Any], *, maps_only: bool = False) -> Shape:
    """`shape` as a tuple, or InputError unless it is that of one layer's feature maps or vectors."""
    wanted = f"{_MAPS} or (batch, channels)" if not maps_only else _MAPS
    if any(isinstance(size, list | tuple) for size in shape):
        raise InputError(f"Expected one layer of the {role}. Received: {len(shape)} layers, of shapes {list(shape)}")
    if len(shape) not in (_RANKS if maps_only else (2, *_RANKS)) or None in shape[1:]:
        raise InputError(
            f"Expected the {role}'s features to have shape {wanted}, all but the batch known. Received: {tuple(shape)}"
        )
    return tuple(shape)


def check_shapes(role: str, shapes: Sequence[Any], *, expected: str, least: int, most: float = float("inf")):
    """The shapes of several layers as a list, or InputError; `expected` says in words how many there must be."""
    several = all(isinstance(shape, list | tuple) for shape in shapes)
    if not several or not least <= len(shapes) <= most:
        received = f"{len(shapes)} layers" if several else "one layer"
        raise InputError(f"Expected {expected} of the {role}. Received: {received}, {list(shapes)}")
    return list(shapes)


def check_pair(teacher_shape, student_shape, *, maps_only: bool = False) -> tuple[Shape, Shape]:
    """Both shapes as tuples, or InputError unless they are of two maps or two vectors."""
    teacher = check_shape("teacher", teacher_shape, maps_only=maps_only)
    student = check_shape("student", student_shape, maps_only=maps_only)
    if len(teacher) != len(student):
        raise InputError(
            "Expected two feature maps of as many axes or two vectors (batch, channels); tap layers that are both "
            f"before or both after pooling. Received: teacher {teacher} and student {student}"
        )
    return teacher, student


def check_pairs(teacher_shape, student_shape, *, expected: str, least: int, most: float = float("inf")):
    """The pairs of shapes of several layers' maps, or InputError unless there are as many of both."""
    teachers = check_shapes("teacher", teacher_shape, expected=expected, least=least, most=most)
    students = check_shapes("student", student_shape, expected=expected, least=least, most=most)
    if len(teachers) != len(students):
        raise InputError(
            "Expected as many layers of the teacher as of the student. "
            f"Received: {len(teachers)} of the teacher and {len(students)} of the student"
        )
    pairs = [check_pair(*pair, maps_only=True) for pair in zip(teachers, students, strict=True)]
    if len({len(shape) for pair in pairs for shape in pair}) > 1:
        raise InputError(f"Expected maps of as many axes in every layer. Received: {teachers} of the teacher")
    return pairs


def common_size(*shapes: Sequence[Any]) -> tuple[int, ...]:
    """The smallest size of several maps' shapes along each axis of positions; () for vectors.

    >>> common_size((None, 8, 4, 64), (None, 4, 6, 16))
    (4, 4)
    """
    return tuple(min(sizes) for sizes in zip(*(shape[1:-1] for shape in shapes), strict=True))


def describe(teacher: Shape, student: Shape, *, layer: str = "", resized: bool = True) -> str:
    """Plain words for an adapter of two shapes: the `layer` on the student's channels if any, and the resizing.

    >>> describe((None, 4, 4, 256), (None, 8, 8, 64), layer="1×1 convolution")
    '1×1 convolution 64 → 256 channels, student map resized 8×8 → 4×4'
    """
    parts = [f"{layer} {student[-1]} → {teacher[-1]} channels"] if layer else []
    size = common_size(teacher, student)
    for role, shape in (("teacher", teacher), ("student", student)):
        if resized and shape[1:-1] != size:
            parts.append(f"{role} map resized {_by(shape[1:-1])} → {_by(size)}")
    return ", ".join(parts) or "none"


def convolution_words(size: int, shape: Shape) -> str:
    """The name of a convolution on maps of `shape`, of `size` along each axis of positions.

    >>> convolution_words(3, (None, 8, 8, 4)), convolution_words(1, (None, 7, 4))
    ('3×3 convolution', '1-wide convolution')
    """
    axes = len(shape) - 2
    return f"{size}-wide convolution" if axes == 1 else f"{_by([size] * axes)} convolution"


def _by(sizes: Sequence[Any]) -> str:
    return "×".join(map(str, sizes))
