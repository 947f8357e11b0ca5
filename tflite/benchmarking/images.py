"""Numbers of images and of operators in a run of a file."""

from collections.abc import Iterable, Sequence


def images_of(shapes: Iterable[Sequence[int]]) -> int:
    """The images of a run by the shapes of the file's inputs: the batch is in front of the first that has one.

    A scalar or a row of numbers has none, and a size that the file leaves open is 1.

    >>> images_of([(), (4, 8, 8, 3)]), images_of([(15600,)]), images_of([(-1, 10)])
    (4, 1, 1)
    """
    return next((max(1, int(shape[0])) for shape in shapes if len(shape) > 1), 1)


def images_in(content: bytes) -> int | None:
    """The images of a run by the content of a file that nobody has opened; None of a damaged one."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        graph = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)
        inputs = [graph.Tensors(graph.Inputs(i)) for i in range(graph.InputsLength())]
        return images_of([tensor.ShapeAsNumpy() if tensor.ShapeLength() else () for tensor in inputs])
    except Exception:  # whatever reading outside of a flatbuffer raises
        return None


def operators_in(content: bytes) -> int | None:
    """The operators of the first subgraph of a file that nobody has opened; None of a damaged one."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        return int(schema.Model.GetRootAsModel(content, 0).Subgraphs(0).OperatorsLength())
    except Exception:  # whatever reading outside of a flatbuffer raises
        return None
