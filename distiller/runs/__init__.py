"""A recipe carried out: stages, trainings, checkpoints, the folder of a run."""

__all__: list[str] = []
