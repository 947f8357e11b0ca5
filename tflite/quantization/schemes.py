"""Schemes of quantization-aware training: bits and ranges of a quantized layer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scheme:
    """Bits of the weights and of the activations; None where activations stay floating-point numbers."""

    name: str
    weights: int
    activations: int | None


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("int8", weights=8, activations=8),
        Scheme("int16x8", weights=8, activations=16),
        Scheme("int4", weights=4, activations=8),
        Scheme("dynamic", weights=8, activations=None),
    )
}
