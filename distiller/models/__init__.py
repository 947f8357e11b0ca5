"""Students and teachers: one table of networks, their cost, and trained weights that ship with the package."""

from distiller.models.by_name import build, build_outputs, check, files_of
from distiller.models.cost import multiply_adds, parameters
from distiller.models.fusing import fuse
from distiller.models.logits_head import logits_of
from distiller.models.trained import card, load, packaged
from distiller.models.zoo import ZOO, names
from distiller.networks.adapting import adapted

__all__ = [
    "ZOO",
    "adapted",
    "build",
    "build_outputs",
    "card",
    "check",
    "files_of",
    "fuse",
    "load",
    "logits_of",
    "multiply_adds",
    "names",
    "packaged",
    "parameters",
]
