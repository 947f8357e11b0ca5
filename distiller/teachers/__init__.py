"""Teachers: where they come from."""

from distiller.teachers.diagnosis import diagnose
from distiller.teachers.loading import load

__all__ = ["diagnose", "load"]
