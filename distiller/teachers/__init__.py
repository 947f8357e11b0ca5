"""Teachers: where they come from."""

from distiller.teachers.cache import Cache
from distiller.teachers.caches import Caches
from distiller.teachers.diagnosis import diagnose
from distiller.teachers.frozen import frozen
from distiller.teachers.generations import born_again
from distiller.teachers.learned_weights import learn_weights
from distiller.teachers.loading import load
from distiller.teachers.mean_teacher import MeanTeacher
from distiller.teachers.member import Member
from distiller.teachers.mutual import Mutual
from distiller.teachers.several import ensemble
from distiller.teachers.silence import silent
from distiller.teachers.virtual import Virtual

__all__ = [
    "Cache",
    "Caches",
    "MeanTeacher",
    "Member",
    "Mutual",
    "Virtual",
    "born_again",
    "diagnose",
    "ensemble",
    "frozen",
    "learn_weights",
    "load",
    "silent",
]
