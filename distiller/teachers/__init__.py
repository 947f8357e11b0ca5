"""Teachers: where they come from."""

from distiller.teachers.cache import Cache
from distiller.teachers.diagnosis import diagnose
from distiller.teachers.ensemble import Member, ensemble
from distiller.teachers.learned_weights import learn_weights
from distiller.teachers.loading import load

__all__ = ["Cache", "Member", "diagnose", "ensemble", "learn_weights", "load"]
