"""From a teacher's label space to the student's: one way a file."""

from distiller.bridges.auxiliary_head import AuxiliaryHead
from distiller.bridges.bridge import Bridge, Fitted
from distiller.bridges.class_map import ClassMap
from distiller.bridges.fine_tune import FineTune
from distiller.bridges.probe import Probe
from distiller.bridges.subset import Subset
from distiller.bridges.transport import Transport

__all__ = ["AuxiliaryHead", "Bridge", "ClassMap", "FineTune", "Fitted", "Probe", "Subset", "Transport"]
