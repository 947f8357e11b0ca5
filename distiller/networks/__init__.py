"""Networks seen from inside: feature extraction, masks, weights, saving, fingerprints."""

__all__: list[str] = []
