"""Random features to compare."""

BATCH = 5


def draw(rng, shapes):
    """Random features of a shape, or a list of them for a list of shapes."""
    if isinstance(shapes, list):
        return [draw(rng, shape) for shape in shapes]
    return rng.normal(size=(BATCH, *shapes)).astype("float32")
