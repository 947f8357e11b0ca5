"""Recipes: what to train on what, in YAML. Those that ship with the package are known by name."""

from distiller.recipes.reading import checked, file, names, read, read_run, read_train, text
from distiller.recipes.schema import RunRecipe, TrainRecipe

__all__ = ["RunRecipe", "TrainRecipe", "checked", "file", "names", "read", "read_run", "read_train", "text"]
