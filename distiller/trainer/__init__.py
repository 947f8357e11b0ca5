"""The training step: Distiller, losses, targets, metrics, checks of the first batch."""

__all__: list[str] = []
