"""Knowledge distillation for models that run on phones.

The parts load on first use, so that importing this package stays quick and does not load a backend:

    Distiller   a keras.Model that trains a student from a teacher
    models      student and teacher zoo, packaged weights
    data        images with labels, split into train, validation and test
    objectives  what the student should match of the teacher
    bridges     from the teacher's classes to the student's
    optimizers  an optimizer with separate momentum for task and distillation gradients
    teachers    several teachers, cached teachers, diagnosis
    privacy     what a network gives away about its training images
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["Distiller", "__version__", "bridges", "data", "models", "objectives", "optimizers", "privacy", "teachers"]


def __getattr__(name: str) -> Any:
    if name == "Distiller":
        return importlib.import_module("distiller.trainer.distiller").Distiller
    if name in __all__:
        return importlib.import_module(f"distiller.{name}")
    raise AttributeError(f"module 'distiller' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
