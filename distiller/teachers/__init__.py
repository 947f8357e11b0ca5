"""Teacher networks: caching, ensembles, diagnosis."""

from distiller.networks.zero_teacher import zero_teacher as silent
from distiller.teachers.caching.cache import Cache
from distiller.teachers.caching.caches import Caches
from distiller.teachers.diagnosis import diagnose
from distiller.teachers.ensembles.ensembling import ensemble
from distiller.teachers.ensembles.learned_weights import learn_weights
from distiller.teachers.ensembles.member import Member
from distiller.teachers.externals.wrapping import external
from distiller.teachers.freezing import frozen
from distiller.teachers.generations import born_again
from distiller.teachers.loading import load
from distiller.teachers.mean_teacher import MeanTeacher
from distiller.teachers.mutual import Mutual
from distiller.teachers.stored_outputs import StoredOutputs
from distiller.teachers.virtual import Virtual

__all__ = [
    "Cache",
    "Caches",
    "MeanTeacher",
    "Member",
    "Mutual",
    "StoredOutputs",
    "Virtual",
    "born_again",
    "diagnose",
    "ensemble",
    "external",
    "frozen",
    "learn_weights",
    "load",
    "silent",
]
