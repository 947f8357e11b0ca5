"""Negatives of the contrastive objective: from the batch, a queue, or all the data."""

from distiller.errors import InputError
from distiller.objectives.relations.banks import Memory, Queue, Source
from distiller.objectives.relations.estimation import Embeddings


class Batch(Source):
    """The other samples of the batch. A gradient reaches them."""

    def draw(self, samples: Embeddings) -> Embeddings:
        """The batch itself, where each sample's own id is known."""
        return samples


def source(negatives: str, size: int, samples: int | None, momentum: float) -> Source:
    """The source of that name.

    Raises:
        InputError: unknown name, or "memory" without the number of samples.
    """
    if size < 1:
        raise InputError(f"Invalid value for `size`. Expected 1 or more negatives. Received: size={size}")
    if not 0 <= momentum < 1:
        raise InputError(f"Invalid value for `momentum`. Expected 0 ≤ momentum < 1. Received: momentum={momentum}")
    if negatives == "batch":
        return Batch(dtype="float32")
    if negatives == "queue":
        return Queue(size, dtype="float32")
    if negatives == "memory":
        if samples is None or samples < 2:
            raise InputError(
                "Expected `samples`, the number of samples of the data, 2 or more, for negatives='memory'. "
                f"Received: samples={samples}"
            )
        return Memory(size, samples, momentum, dtype="float32")
    raise InputError(
        "Invalid value for `negatives`. Expected one of ['batch', 'memory', 'queue']. "
        f"Received: negatives={negatives!r}"
    )
