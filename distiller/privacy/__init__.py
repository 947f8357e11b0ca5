"""Membership inference: what a network gives away about the images that it was trained on.

    audit    attacks on any function that answers with logits: their AUC and true positives, with intervals

The results are lower bounds: an attack that fails proves nothing about those that nobody has tried.
"""

from distiller.privacy.auditing import audit
from distiller.privacy.results import ATTACKS, Attack, Audit, Audited, Rate, RunAudit

__all__ = ["ATTACKS", "Attack", "Audit", "Audited", "Rate", "RunAudit", "audit"]
