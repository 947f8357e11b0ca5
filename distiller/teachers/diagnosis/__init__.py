"""Is this teacher fit to teach? What its answers tell of that, before a student is trained."""

from distiller.teachers.diagnosis.measurement import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
