"""Layers of sequences and vectors as layers of images, which are the ones that have integer kernels."""

from tflite.keras_graph.graph import Call, Graph, NewLayer, Value


def as_image(graph: Graph, call: Call, made: NewLayer, before: tuple[int, ...], after: tuple[int, ...]) -> Call:
    """Let a call be one of `made` on images, with a reshape on each side; returns that call.

    Args:
        graph: changed in place.
        call: the result keeps its shape.
        made: a layer of images.
        before: (height, width, channels) that the input gets.
        after: (height, width, channels) that `made` returns.
    """
    import keras

    result = tuple(call.output.symbol.shape[1:])
    batch = call.output.symbol.shape[0]
    place = graph.calls.index(call)
    image, output = (Value(keras.KerasTensor((batch, *shape))) for shape in (before, after))
    entry = _reshape(graph, f"{call.name}_as_image", before, call.inputs[0], image)
    inner = Call(made, call.name, (image,), outputs=(output,))
    back = _reshape(graph, f"{call.name}_back", result, output, call.output)
    graph.calls[place : place + 1] = [entry, inner, back]
    return inner


def _reshape(graph: Graph, name: str, shape: tuple[int, ...], value: Value, output: Value) -> Call:
    import keras

    name = graph.unique(name)
    return Call(NewLayer(keras.layers.Reshape(shape, name=name)), name, (value,), outputs=(output,))
